// Go's own resolver. Arguments and output: ../test_dns_clients.py
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

func ask(kind, name string) (found []string, err error) {
	if kind == "txt" {
		return net.DefaultResolver.LookupTXT(context.Background(), name)
	}
	network := map[string]string{"any": "ip", "6": "ip6", "4": "ip4"}[kind]
	addresses, err := net.DefaultResolver.LookupIP(context.Background(), network, name)
	for _, address := range addresses {
		found = append(found, address.String())
	}
	return found, err
}

func main() {
	for i := 1; i+1 < len(os.Args); i += 2 {
		found, err := ask(os.Args[i], os.Args[i+1])
		var failure *net.DNSError
		switch {
		case errors.As(err, &failure) && failure.IsNotFound:
			fmt.Println("none")
		case err != nil:
			fmt.Println("error", err)
		default:
			fmt.Println(strings.Join(found, ","))
		}
	}
}
