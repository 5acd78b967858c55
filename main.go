// Command leadloop routes leads to customers, transmits them, and takes feedback back over OData.
package main

import (
	"os"

	"leadloop/server"
)

func main() {
	os.Exit(server.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
