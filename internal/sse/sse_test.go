package sse_test

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/sse"
)

// TestEndless: the data of one event is bounded, though each of its lines is short.
func TestEndless(t *testing.T) {
	line := "data: " + strings.Repeat("x", 1<<20) + "\n"
	for _, c := range []struct {
		body string
		want error
	}{
		{strings.Repeat(line, 3) + "\n", io.ErrUnexpectedEOF},
		{strings.Repeat(line, 5) + "\n", bufio.ErrTooLong},
		{strings.Repeat("x", 5<<20), bufio.ErrTooLong},
	} {
		var last error
		for _, last = range sse.Events(strings.NewReader(c.body)) {
		}
		if !errors.Is(last, c.want) {
			t.Errorf("%d bytes: %v, want %v", len(c.body), last, c.want)
		}
	}
}
