// Command query runs one part of sealstream against a NATS server: see --help.
package main

import (
	"os"

	"github.com/sealstream/sealstream/pkg/node"
)

func main() {
	os.Exit(node.Main("query", "Answers filters over a sealed log and makes proofs.", &node.QueryService{}))
}
