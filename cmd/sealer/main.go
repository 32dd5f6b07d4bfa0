// Command sealer runs one part of sealstream against a NATS server: see --help.
package main

import (
	"os"

	"github.com/sealstream/sealstream/pkg/node"
)

func main() {
	os.Exit(node.Main("sealer", "Orders, chains and seals the events of one log.", &node.SealerService{}))
}
