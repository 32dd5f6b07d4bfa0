// Command alert runs one part of sealstream against a NATS server: see --help.
package main

import (
	"os"

	"github.com/sealstream/sealstream/pkg/node"
)

func main() {
	os.Exit(node.Main("alert", "Tells of violations and of what rules match, on NATS and to webhooks.", &node.AlertService{}))
}
