// listen NETWORK ADDRESS: an HTTP server on a TCP network, a server that sends every datagram back on a UDP one.
// Without a NETWORK, http.ListenAndServe.
package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok\n") })
	if len(os.Args) == 2 {
		log.Fatal(http.ListenAndServe(os.Args[1], nil))
	}
	network, address := os.Args[1], os.Args[2]
	if strings.HasPrefix(network, "tcp") {
		listener, err := net.Listen(network, address)
		if err != nil {
			log.Fatal(err)
		}
		log.Fatal(http.Serve(listener, nil))
	}
	receiver, err := net.ListenPacket(network, address)
	if err != nil {
		log.Fatal(err)
	}
	buffer := make([]byte, 65536)
	for {
		size, from, err := receiver.ReadFrom(buffer)
		if err != nil {
			log.Fatal(err)
		}
		receiver.WriteTo(buffer[:size], from)
	}
}
