// Command sink runs one part of sealstream against a NATS server: see --help.
package main

import (
	"os"

	"github.com/sealstream/sealstream/pkg/sink/run"
)

func main() {
	os.Exit(run.Main(nil))
}
