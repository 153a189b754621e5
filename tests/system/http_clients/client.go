// Go's net/http: asks for the URL's / and sends 8 MB to its /echo. Prints the protocol and status of both, and whether what came
// back is what was sent.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	body := bytes.Repeat([]byte("0123456789abcdef"), 8<<16)
	for _, request := range []func() (*http.Response, error){
		func() (*http.Response, error) { return http.Get(os.Args[1] + "/") },
		func() (*http.Response, error) {
			return http.Post(os.Args[1]+"/echo", "application/octet-stream", bytes.NewReader(body))
		},
	} {
		answer, err := request()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		read, err := io.ReadAll(answer.Body)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(answer.Proto, answer.StatusCode, bytes.Equal(read, body))
	}
}
