// Command archiver runs one part of sealstream against a NATS server: see --help.
package main

import (
	"os"

	"github.com/sealstream/sealstream/pkg/node"
)

func main() {
	os.Exit(node.Main("archiver", "Keeps the old part of one log in an object store, and trims SEALED behind it.", &node.ArchiverService{}))
}
