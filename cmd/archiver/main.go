// Command archiver runs one part of sealstream against a NATS server: see --help.
package main

import (
	"os"

	"github.com/sealstream/sealstream/internal/program"
)

func main() {
	os.Exit(program.Program("archiver"))
}
