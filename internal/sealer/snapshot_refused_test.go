package sealer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// TestRefusedOnSnapshot: what a sealer refuses because of its snapshot alone does not stop it. It
// reads the log once more, without the snapshot.
func TestRefusedOnSnapshot(t *testing.T) {
	for _, c := range []struct {
		name, why string
		spoil     func(f *snapshotFixture)
	}{
		{"records are lost and a message is sealed in part", "makes another entry", (*snapshotFixture).stopInside},
		{"config of another key", "signed by another key", func(f *snapshotFixture) {
			f.rewrite(testSecret, func(h *snapshot) {
				config, err := h.config()
				if err != nil {
					f.t.Fatal(err)
				}
				config.Keys = []string{signerOf(9).VerifierKey()}
				h.Config = config.AppendJSON(nil)
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onSnapshot(t, 100, func(t *testing.T, f *snapshotFixture) {
				c.spoil(f)
				f.said.lines = nil
				f.mustSeal()
				if f.said.count(saysRestored) != 1 || f.said.count(saysRefused) != 1 ||
					!slices.ContainsFunc(f.said.lines, func(s string) bool { return strings.Contains(s, c.why) }) {
					t.Fatalf("not refused because %s: %q", c.why, f.said.lines)
				}
				f.again(256)
				f.grow(70)
				f.expectRestored()
			})
		})
	}
}

// stopInside leaves a log that ends inside a message, whose first event is a repeat, and a snapshot
// of it without any records.
func (f *snapshotFixture) stopInside() {
	f.t.Helper()
	list := []string{event(fmt.Sprint(f.events-5), "1")}
	for range 12 {
		list = append(list, event(fmt.Sprint(f.events), "1"))
		f.events++
	}
	f.publish(tokenSubject("did:a"), "["+strings.Join(list, ",")+"]")
	if err := os.RemoveAll(f.cfg.Snapshot); err != nil {
		f.t.Fatal(err)
	}
	f.sealSome(1<<20, func(c *Config) {
		c.Log.Sealed = &onlyOne{Stream: f.log.Sealed}
		c.MaxEntries = 8
		c.hooks = &hooks{recorded: func(content []byte) { clear(content) }}
	})
	if h := f.head(f.files()); len(h.Partial) != 8 {
		f.t.Fatalf("the snapshot ends after %d entries of a message", len(h.Partial))
	}
}

// TestRefusedByTheLog: a sealer that the log refuses reads it only once more.
func TestRefusedByTheLog(t *testing.T) {
	onSnapshot(t, 100, func(t *testing.T, f *snapshotFixture) {
		c := *f.entries()[0].Detail.(*entry.Config)
		c.Previous, c.Redaction = new(uint64), &redact.Rules{Set: 1, Hash: strings.Repeat("0", 64)}
		f.control(entry.TypeConfig, &c)
		f.said.lines = nil
		if err := f.seal(); !errors.Is(err, ErrRefused) {
			t.Fatalf("%v", err)
		}
		if f.said.count(saysRestored) != 1 || f.said.count(saysRefused) != 1 {
			t.Fatalf("%q", f.said.lines)
		}
	})
}
