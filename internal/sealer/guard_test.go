package sealer

import (
	"context"
	"errors"
	"testing"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
)

// TestGuard: each commit asks the guard, and after its first error nothing is committed.
func TestGuard(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		everything(f)
		lost, asked := errors.New("the directory is gone"), 0
		err := f.seal(entriesOf(2), func(c *Config) {
			c.Guard = func() error {
				if asked++; asked > 3 {
					return lost
				}
				return nil
			}
		})
		if !errors.Is(err, ErrFenced) || !errors.Is(err, lost) {
			t.Fatalf("the sealer ended with %v", err)
		}
		if last, _, err := store.End(t.Context(), f.log.Sealed); err != nil || last != 3 || asked != 4 {
			t.Errorf("%d batches after %d questions, %v", last, asked, err)
		}
		f.mustSeal()
		f.audit()
	})
}

// TestHeadUnreadable: a value of HEAD that stands there and cannot be read is written over, and
// asked for a few times only.
func TestHeadUnreadable(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		everything(f)
		f.mustSeal()
		head := &damagedKV{KV: f.log.Head}
		f.log.Head = head
		s, err := New(f.cfg)
		if err != nil {
			t.Fatal(err)
		}
		m, err := f.log.Sealed.Get(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := sealedlog.ParseBatch(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.putHead(t.Context(), committed{batch: b}); err != nil || head.asked > 10 {
			t.Errorf("%v, asked %d times", err, head.asked)
		}
		if got, _, err := head.KV.Get(t.Context(), testLog); err != nil || string(got) != string(b.Checkpoint) {
			t.Errorf("HEAD holds %q, %v", got, err)
		}
	})
}

// damagedKV is a bucket whose values are damaged: JetStream calls them not found, and knows that they exist.
type damagedKV struct {
	store.KV
	asked int
}

func (u *damagedKV) Get(context.Context, string) ([]byte, uint64, error) {
	if u.asked++; u.asked > 1000 {
		return nil, 0, errors.New("asked for ever")
	}
	return nil, 0, store.ErrNotFound
}
