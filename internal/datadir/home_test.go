package datadir

import (
	"strings"
	"testing"
	"time"
)

// TestHomeMoved: what is another place, and what only looks like one.
func TestHomeMoved(t *testing.T) {
	at := home{Host: "a", Machine: "m", Boot: "b", Path: "/d", Inode: 7, Device: 1, Started: time.Unix(0, 0).UTC()}
	with := func(change func(*home)) home { h := at; change(&h); return h }
	bare := with(func(h *home) { h.Machine = "" })
	for name, c := range map[string]struct {
		last, now home
		says      string
	}{
		"the same":             {at, at, ""},
		"after a restart":      {at, with(func(h *home) { h.Boot, h.Device = "b2", 9 }), ""},
		"another name":         {at, with(func(h *home) { h.Host = "b" }), ""},
		"another mount point":  {at, with(func(h *home) { h.Path = "/mnt/d" }), ""},
		"a copy":               {at, with(func(h *home) { h.Inode = 8 }), "a copy of it"},
		"a copy, later":        {at, with(func(h *home) { h.Inode, h.Boot = 8, "b2" }), "a copy of it"},
		"another file system":  {at, with(func(h *home) { h.Device = 2 }), "a copy of it"},
		"another machine":      {at, with(func(h *home) { h.Host, h.Machine, h.Boot = "c", "m2", "b2" }), "this is host c"},
		"container made anew":  {bare, with(func(h *home) { h.Machine, h.Host = "", "c0ffee" }), ""},
		"container, elsewhere": {bare, with(func(h *home) { h.Machine, h.Host, h.Boot = "", "c0ffee", "b2" }), "this is host c0ffee"},
	} {
		got := c.last.moved(c.now)
		if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", name, got, c.says)
		}
		if got != "" && !strings.Contains(got, "host a (boot b) at /d") {
			t.Errorf("%s: %q does not name host, boot and path", name, got)
		}
	}
}
