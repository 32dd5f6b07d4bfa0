package main

import (
	"strings"
	"testing"
	"time"
)

// TestProgress: sizes and counts are shown as people read them.
func TestProgress(t *testing.T) {
	for _, c := range []struct {
		what     string
		n, total uint64
		want     string
	}{
		{inBytes, 3 << 20, 0, "\r\x1b[K3 MiB  ("},
		{inBytes, 1 << 30, 2 << 30, "░] 1 GiB of 2 GiB  ("},
		{"entries", 120, 0, "\r\x1b[K120 entries  ("},
		{"entries", 120, 240, "░] 120 of 240 entries  ("},
	} {
		var out strings.Builder
		p := &progress{w: &out, what: c.what, total: c.total, began: time.Now().Add(-2 * time.Second), on: true}
		p.at(c.n)
		if !strings.Contains(out.String(), c.want) || !strings.HasSuffix(out.String(), "/s)") {
			t.Errorf("%q, want %q", out.String(), c.want)
		}
	}
}
