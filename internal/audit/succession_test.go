package audit_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// rotation is a log that hands its keys on: a, then a and b, then b, then b and c, then c; with batches under each.
type rotation struct {
	*writer
	keys  []string // verifier keys a, b, c
	skeys []string
	seq   uint64
	force []int
}

func newRotation(t *testing.T) *rotation {
	t.Helper()
	skey, vkey, err := proof.GenerateKey("rotation.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	r := &rotation{keys: []string{vkey}, skeys: []string{skey}, seq: 1, force: []int{0}}
	origin, _, _ := strings.Cut(vkey, "+")
	for range 2 {
		skey, vkey, err := proof.GenerateNextKey(origin)
		if err != nil {
			t.Fatal(err)
		}
		r.keys, r.skeys = append(r.keys, vkey), append(r.skeys, skey)
	}
	s, err := proof.NewSigner(r.skeys...)
	if err != nil {
		t.Fatal(err)
	}
	r.writer = &writer{t: t, signer: s, epoch: 1}
	r.own(1, 0, entry.TypeConfig, r.newConfig())
	r.cutBy(0)
	return r
}

func (r *rotation) named(force ...int) (list []string) {
	for _, i := range force {
		list = append(list, r.keys[i])
	}
	return list
}

// cutBy commits a batch whose checkpoint is signed by keys.
func (r *rotation) cutBy(by ...int) {
	b := r.batch(r.seq, sealedlog.PlaceEnd)
	var err error
	if b.Checkpoint, err = r.signer.Sign(b.Size, b.Root, r.named(by...)...); err != nil {
		r.t.Fatal(err)
	}
	r.commit(b)
}

// events commits a batch of plain events.
func (r *rotation) events(by ...int) {
	for range 3 {
		r.seq++
		r.plain(r.seq, 0)
	}
	r.cutBy(by...)
}

// handOn announces keys. The batch that holds the config is still signed by those before.
func (r *rotation) handOn(force ...int) {
	r.seq++
	c, previous := r.newConfig(), r.config
	c.Keys, c.Previous = r.named(force...), &previous
	r.own(r.seq, 0, entry.TypeConfig, c)
	r.cutBy(r.force...)
	r.force = force
}

func whole(t *testing.T) *rotation {
	r := newRotation(t)
	r.events(0)
	r.handOn(0, 1)
	r.events(0, 1)
	r.handOn(1)
	r.events(1)
	r.handOn(1, 2)
	r.events(1, 2)
	r.handOn(2)
	r.events(2)
	return r
}

// follow walks the log with keys, as followers do.
func (r *rotation) follow(keys ...string) error {
	chain, parser := audit.NewChain(keys...), audit.NewParser(keys...)
	for _, m := range r.sealed {
		if _, err := chain.Take(parser.Parse(m)); err != nil {
			return err
		}
	}
	return nil
}

// TestSuccession: whoever knows the first key follows the others; who knows any key can audit;
// newConfig names the first signer's key alone, so that index 0 is a's.
func TestSuccession(t *testing.T) {
	r := whole(t)
	a, b, c := r.keys[0], r.keys[1], r.keys[2]
	for name, keys := range map[string][]string{"a": {a}, "none": nil, "a b c": {a, b, c}, "c a": {c, a}} {
		if err := r.follow(keys...); err != nil {
			t.Errorf("followed with %s: %v", name, err)
		}
	}
	for name, keys := range map[string][]string{"b": {b}, "c": {c}, "b c": {b, c}} {
		if err := r.follow(keys...); err == nil || !strings.Contains(err.Error(), "names none of the given keys") {
			t.Errorf("followed from the begin with %s: %v", name, err)
		}
	}
	for name, keys := range map[string][]string{"a": {a}, "b": {b}, "c": {c}, "none": nil, "c b a": {c, b, a}} {
		report, err := r.audit(r.sealed, r.payloads, keys...)
		if err != nil || report.Key != c {
			t.Errorf("audited with %s: %v, key %s", name, err, report.Key)
		}
	}
	s := signer(9)
	if _, err := r.audit(r.sealed, r.payloads, s.VerifierKey()); err == nil {
		t.Error("audited with the key of another log")
	}
}

// TestSuccessionForged: what was not in force has signed nothing.
func TestSuccessionForged(t *testing.T) {
	for name, forge := range map[string]func(r *rotation){
		"a retired key goes on":                   func(r *rotation) { r.handOn(0, 1); r.events(0, 1); r.handOn(1); r.events(0) },
		"a retired key signs the next config":     func(r *rotation) { r.handOn(0, 1); r.handOn(1); r.force = []int{0}; r.handOn(1, 2) },
		"a key that was not announced":            func(r *rotation) { r.events(1) },
		"a key signs the batch that announces it": func(r *rotation) { r.force = []int{1}; r.handOn(0, 1) },
		"no key goes on":                          func(r *rotation) { r.handOn(1) },
		"a key twice":                             func(r *rotation) { r.handOn(0, 1, 1) },
		"not the newest config":                   func(r *rotation) { r.handOn(0, 1); r.config = 0; r.handOn(1) },
	} {
		r := newRotation(t)
		r.events(0)
		good := len(r.sealed)
		forge(r)
		for _, keys := range [][]string{nil, {r.keys[0]}, {r.keys[0], r.keys[1]}, r.keys} {
			if err := r.follow(keys...); err == nil {
				t.Errorf("%s: followed with %d keys", name, len(keys))
			}
			if _, err := r.audit(r.sealed, r.payloads, keys...); err == nil {
				t.Errorf("%s: audited with %d keys", name, len(keys))
			}
		}
		r.sealed = r.sealed[:good]
		if err := r.follow(r.keys[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSuccessionStolen: a forger names the log's key beside one of his own, or as its predecessor
// or successor, and signs with his.
func TestSuccessionStolen(t *testing.T) {
	for name, forge := range map[string]func(r *rotation){
		"beside":      func(r *rotation) { r.events(1) },
		"predecessor": func(r *rotation) { r.handOn(0, 1); r.events(1); r.handOn(1); r.events(1) },
		"successor":   func(r *rotation) { r.handOn(1, 2); r.events(1) },
	} {
		r := newRotation(t) // the victim has key 0, or, where it is the successor, key 2; the forger has key 1
		r.entries, r.sealed, r.frontier, r.pending = nil, nil, merkle.Frontier{}, 0
		c := r.newConfig()
		c.Keys = map[string][]string{"beside": r.named(0, 1), "predecessor": r.named(0), "successor": r.named(1)}[name]
		r.own(1, 0, entry.TypeConfig, c)
		r.force = []int{1}
		r.cutBy(1)
		forge(r)
		victim := r.keys[0]
		if name == "successor" {
			victim = r.keys[2]
		}
		if err := r.follow(victim); err == nil {
			t.Errorf("%s: followed", name)
		}
		if _, err := r.audit(r.sealed, r.payloads, victim); err == nil {
			t.Errorf("%s: audited", name)
		}
	}
}

func TestSignerKeys(t *testing.T) {
	r := newRotation(t)
	if _, err := proof.NewSigner(); err == nil {
		t.Error("a signer without keys")
	}
	other, _, err := proof.GenerateKey("other.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proof.NewSigner(r.skeys[0], other); err == nil {
		t.Error("a signer of two logs")
	}
	one, err := proof.NewSigner(r.skeys[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Sign(1, entry.Hash{1}, r.keys[0]); err == nil {
		t.Error("signed with a key that is not there")
	}
	note, err := r.signer.Sign(1, entry.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range r.keys {
		if _, err := proof.OpenCheckpoint(note, k); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
	note[len(note)-10] ^= 1
	if _, err := proof.OpenCheckpoint(note, r.keys[2]); err == nil {
		t.Error("the last signature was altered")
	}
}

// TestRetiredKeySignsNoTiles: who has all keys of a log takes no checkpoint by one that the log has retired.
func TestRetiredKeySignsNoTiles(t *testing.T) {
	r := newRotation(t)
	r.events(0)
	r.handOn(0, 1)
	r.events(0, 1)
	both := len(r.entries)
	r.handOn(1)
	r.events(1)
	signers := make([]*proof.Signer, 2)
	for i := range signers {
		var err error
		if signers[i], err = proof.NewSigner(r.skeys[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		size, by int
		keys     []string
		good     bool
	}{
		{both, 0, r.named(1, 0), true}, {both, 1, r.named(1, 0), true}, {both, 0, r.named(0), true},
		{len(r.entries), 1, r.named(1, 0), true}, {len(r.entries), 1, r.named(0, 1), true}, {len(r.entries), 1, nil, true},
		{len(r.entries), 0, r.named(1, 0), false}, {len(r.entries), 0, r.named(0, 1), false}, {len(r.entries), 0, r.named(0), false},
		{len(r.entries), 1, r.named(0), false}, {len(r.entries), 0, nil, false},
	} {
		report, err := audit.Tiles(audit.Config{Keys: c.keys}, tilesOf(t, r.entries[:c.size], signers[c.by]))
		if c.good && err != nil {
			t.Errorf("size %d by key %d with %d keys: %v", c.size, c.by, len(c.keys), err)
		} else if !c.good {
			if _, what := first(t, err); what != "signature" {
				t.Errorf("size %d by key %d with %d keys: %v", c.size, c.by, len(c.keys), err)
			}
		}
		if c.good && !slices.Equal(report.Named, r.named(0, 1)) {
			t.Errorf("named: %v", report.Named)
		}
	}
}
