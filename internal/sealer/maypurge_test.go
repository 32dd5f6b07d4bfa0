package sealer

import (
	"errors"
	"testing"

	"github.com/sealstream/sealstream/internal/sealedlog"
)

// TestMayPurge: EVENTS is not purged while the caller says that it may not be, and is as soon as it may.
func TestMayPurge(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		everything(f)
		f.mustSeal(func(c *Config) { c.KeepEvents = true })
		full := errors.New("the disk is full")
		cfg := f.cfg
		cfg.MayPurge = func() error { return full }
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		end, err := f.log.Sealed.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m, err := f.log.Sealed.Get(t.Context(), end.Last)
		if err != nil {
			t.Fatal(err)
		}
		b, err := sealedlog.ParseBatch(m)
		if err != nil {
			t.Fatal(err)
		}
		first := func() uint64 {
			info, err := f.log.Events.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return info.First
		}
		before, tr := first(), &trimmer{s: s}
		if err := tr.trim(t.Context(), committed{batch: b}); !errors.Is(err, errRetryLater) || first() != before {
			t.Fatalf("%v, EVENTS begins at %d, and began at %d", err, first(), before)
		}
		full = nil
		if err := tr.trim(t.Context(), committed{batch: b}); err != nil || first() != b.Input.Seq || first() == before {
			t.Fatalf("%v, EVENTS begins at %d, want %d", err, first(), b.Input.Seq)
		}
	})
}
