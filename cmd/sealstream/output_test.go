package main

import (
	"errors"
	"strings"
	"testing"
)

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestOutputLost: a verb whose output cannot be written says so and does not exit with 0.
func TestOutputLost(t *testing.T) {
	dir := t.TempDir()
	var out, errs strings.Builder
	if status := run(t.Context(), []string{"keygen", "--out", dir}, strings.NewReader(""), &out, &errs); status != 0 {
		t.Fatal(status, errs.String())
	}
	for _, args := range [][]string{{"key", "list", "--data", dir}, {"subject", "did:web:a.example.com"}} {
		errs.Reset()
		if status := run(t.Context(), args, strings.NewReader(""), fullDisk{}, &errs); status != 2 ||
			!strings.Contains(errs.String(), "no space left") {
			t.Errorf("%q: %d, %s", args, status, errs.String())
		}
	}
}
