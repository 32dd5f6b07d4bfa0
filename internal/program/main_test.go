package program

import (
	"os"
	"testing"
)

// TestMain makes this test program the service that SEALSTREAM_TEST_PROGRAM names.
func TestMain(m *testing.M) {
	if name := os.Getenv("SEALSTREAM_TEST_PROGRAM"); name != "" {
		os.Exit(Program(name))
	}
	os.Exit(m.Run())
}
