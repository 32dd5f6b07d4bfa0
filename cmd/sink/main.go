// Command sink runs one part of sealstream against a NATS server: see --help.
package main

import (
	"os"

	"github.com/sealstream/sealstream/pkg/node"
)

func main() {
	os.Exit(node.Main("sink", "Writes one log into sinks: files, databases, NATS, HTTP.", &node.SinkService{}))
}
