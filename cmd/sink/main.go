// Command sink runs one part of sealstream against a NATS server: see --help.
package main

import (
	"os"

	"github.com/sealstream/sealstream/pkg/node"
)

func main() {
	os.Exit(node.Program("sink"))
}
