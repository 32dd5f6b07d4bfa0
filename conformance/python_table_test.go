package conformance_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealstream/sealstream/pkg/redact"
)

// TestPythonTable: the patterns of the Python SDK are those of package redact.
func TestPythonTable(t *testing.T) {
	file := filepath.FromSlash("../sdk/python/sealstream_redact/table.py")
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("# TABLE: begin\n"), []byte("# TABLE: end\n")
	before, rest, ok := bytes.Cut(have, begin)
	_, after, closed := bytes.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("no table stands in the file")
	}
	golden(t, file, bytes.Join([][]byte{before, begin, pythonTable(redact.Table()), end, after}, nil))
}

// pythonTable writes JSON as lines of Python. It has no backslash but in raw strings, and no three quotes.
func pythonTable(table []byte) []byte {
	out := []byte("_TABLE = json.loads(r\"\"\"\n")
	for len(table) > 0 {
		n := len(table)
		if n > 140 {
			for n = 140; n < len(table) && string(table[n-2:n+1]) != `],[` && string(table[n-2:n+1]) != `","`; n++ {
			}
		}
		out = append(append(out, table[:n]...), '\n')
		table = table[n:]
	}
	return append(out, "\"\"\")\n"...)
}
