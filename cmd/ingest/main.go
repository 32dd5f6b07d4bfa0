// Command ingest runs one part of sealstream against a NATS server: see --help.
package main

import (
	"os"

	"github.com/sealstream/sealstream/pkg/node"
)

func main() {
	os.Exit(node.Main("ingest", "Accepts agents' events over HTTP and stores them for the sealer.", &node.IngestService{}))
}
