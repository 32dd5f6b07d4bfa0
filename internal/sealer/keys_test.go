package sealer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// newKeys are two keys of a log that is made with the first.
func newKeys(t *testing.T) (skeys, vkeys []string) {
	t.Helper()
	skey, vkey, err := proof.GenerateKey("keys.example.com", testLog)
	if err != nil {
		t.Fatal(err)
	}
	origin, _, _ := strings.Cut(vkey, "+")
	next, nextV, err := proof.GenerateNextKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	return []string{skey, next}, []string{vkey, nextV}
}

func signing(t *testing.T, former []string, skeys ...string) func(*Config) {
	t.Helper()
	s, err := proof.NewSigner(skeys...)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Signer, c.Keys = s, former }
}

// TestRotation hands a log from one key to the next, in batches of several sizes, and checks which
// keys have signed each checkpoint.
func TestRotation(t *testing.T) {
	for _, entries := range []int{1, 3, 256} {
		t.Run(fmt.Sprint(entries), func(t *testing.T) { rotate(t, entries) })
	}
}

func rotate(t *testing.T, entries int) {
	skeys, vkeys := newKeys(t)
	inBubble(t, func(t *testing.T, f *fixture) {
		f.cfg.MaxEntries = entries
		with := func(change func(*Config)) Config { cfg := f.cfg; change(&cfg); return cfg }
		first, both, second := signing(t, nil, skeys[0]), signing(t, nil, skeys...), signing(t, vkeys[:1], skeys[1])
		if err := Create(t.Context(), with(first), true); err != nil {
			t.Fatal(err)
		}
		n := 0
		events := func(change func(*Config)) error {
			for range 5 {
				n++
				f.publish(tokenSubject("did:a"), event(fmt.Sprint(n), "1"))
			}
			return f.seal(change)
		}
		announce := func(change func(*Config), keys ...string) {
			t.Helper()
			for _, want := range []bool{true, false} { // once is enough
				if did, err := AnnounceKeys(t.Context(), with(change), keys); err != nil || did != want {
					t.Fatalf("announced %v: %v", did, err)
				}
				if err := events(change); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := events(first); err != nil {
			t.Fatal(err)
		}
		if _, err := AnnounceKeys(t.Context(), with(both), vkeys[1:]); !errors.Is(err, ErrRefused) ||
			!strings.Contains(err.Error(), "overlap") {
			t.Fatalf("without an overlap: %v", err)
		}
		if _, err := AnnounceKeys(t.Context(), with(first), vkeys); !errors.Is(err, ErrRefused) {
			t.Fatalf("a key that is not there: %v", err)
		}
		announce(both, vkeys...)
		if err := events(first); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "private part") {
			t.Fatalf("sealed without one of the keys: %v", err)
		}
		announce(both, vkeys[1])
		if force, err := ActiveKeys(t.Context(), with(second)); err != nil || !slices.Equal(force, vkeys[1:]) {
			t.Fatalf("in force: %v, %v", force, err)
		}
		if err := events(second); err != nil {
			t.Fatal(err)
		}
		if err := events(first); !errors.Is(err, ErrRefused) {
			t.Fatalf("sealed with a retired key: %v", err)
		}
		f.checkRotation(vkeys)
	})
}

// checkRotation audits the log with each key, and holds every checkpoint to the keys in force before its batch.
func (f *fixture) checkRotation(vkeys []string) {
	f.t.Helper()
	for _, keys := range [][]string{nil, vkeys[:1], vkeys[1:], vkeys} {
		if _, err := store.Audit(f.t.Context(), f.log, audit.Config{Keys: keys}); err != nil {
			f.t.Fatalf("audit with %v: %v", keys, err)
		}
	}
	force, seen := vkeys[:1], map[int]int{}
	for b, err := range (store.Follower{Log: f.log, Keys: vkeys[:1], Stop: true}).Batches(f.t.Context()) {
		if err != nil {
			f.t.Fatal(err)
		}
		if n := strings.Count(string(b.Batch.Checkpoint), "\n— "); n != len(force) {
			f.t.Fatalf("checkpoint of size %d has %d signatures, and %d keys are in force", b.Batch.Size, n, len(force))
		}
		for _, k := range force {
			if _, err := proof.OpenCheckpoint(b.Batch.Checkpoint, k); err != nil {
				f.t.Fatalf("checkpoint of size %d: %v", b.Batch.Size, err)
			}
		}
		seen[len(force)]++
		for _, e := range b.Entries {
			if c, ok := e.Detail.(*entry.Config); ok {
				force = c.Keys
			}
		}
	}
	if seen[2] == 0 || !slices.Equal(force, vkeys[1:]) {
		f.t.Fatalf("%v, in the end %v", seen, force)
	}
}

// TestKeyNobodyHas: a config that names a key which the sealer does not have is sealed like any
// other, and stops it until the key is there.
func TestKeyNobodyHas(t *testing.T) {
	skeys, vkeys := newKeys(t)
	inBubble(t, func(t *testing.T, f *fixture) {
		first := signing(t, nil, skeys[0])
		cfg := f.cfg
		first(&cfg)
		if err := Create(t.Context(), cfg, true); err != nil {
			t.Fatal(err)
		}
		if err := f.seal(first); err != nil {
			t.Fatal(err)
		}
		both := f.cfg
		signing(t, nil, skeys...)(&both)
		if did, err := AnnounceKeys(t.Context(), both, vkeys); err != nil || !did {
			t.Fatal(did, err)
		}
		f.publish(tokenSubject("did:a"), event("1", "1"))
		for range 2 {
			if err := f.seal(first); !errors.Is(err, ErrRefused) {
				f.publish(tokenSubject("did:a"), event("2", "1")) // all may have come into the batch of the config
				if err := f.seal(first); !errors.Is(err, ErrRefused) {
					t.Fatalf("sealed on without the key: %v", err)
				}
			}
		}
		if err := f.seal(signing(t, nil, skeys...)); err != nil {
			t.Fatal(err)
		}
		r, err := store.Audit(t.Context(), f.log, audit.Config{Keys: vkeys[1:]})
		if err != nil || r.Size < 3 || r.Key != vkeys[0] && r.Key != vkeys[1] {
			t.Fatalf("%v %+v", err, r)
		}
	})
}
