package node_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/node"
)

// TestBegan: a log shows the start, and the end unless a failure is told instead.
func TestBegan(t *testing.T) {
	for _, c := range []struct {
		why, err error
		want     string
	}{
		{errors.New("terminated signal received"), nil, `msg="x has stopped" cause="terminated signal received" ran=`},
		{nil, nil, ""},
		{errors.New("terminated signal received"), errors.New("store"), ""},
	} {
		var said bytes.Buffer
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := node.Began(ctx, slog.New(slog.NewTextHandler(&said, nil)), "x", "version", "v1")
		if c.why != nil {
			cancel(c.why)
		}
		stopped(c.err)
		cancel(nil)
		text := said.String()
		if !strings.Contains(text, `msg="x starts" version=v1`) || !strings.Contains(text, c.want) ||
			strings.Contains(text, "stopped") != (c.want != "") {
			t.Errorf("%v, %v: %s", c.why, c.err, text)
		}
	}
}
