package tamper

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/sealstream/sealstream/pkg/proof"
)

// TestRandom: 5,000 tamperings by somebody who has all of the storage but not the key, and who
// makes chain, tree and numbers anew. All are found with the key, and with a saved or a witnessed
// checkpoint alone; how many are found without any of these is printed as it is.
func TestRandom(t *testing.T) {
	l, done, err := newLab(t.Context(), 16)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	note, _ := l.witness.Newest(nameOf(l.key))
	witnessed, err := proof.OpenCheckpoint(note, l.key)
	if err != nil {
		t.Fatal(err)
	}
	checks := []struct {
		name string
		all  bool // every one must be found
		do   func(*view) error
	}{
		{"chain only", false, (*view).chain},
		{"audit with the key that the log itself names", false, func(v *view) error { return v.audit("") }},
		{"audit with the log's key", true, func(v *view) error { return v.audit(l.key) }},
		{"no key, a saved checkpoint", true, func(v *view) error { return v.audit("", l.saved) }},
		{"no key, a witnessed checkpoint", true, func(v *view) error { return v.audit("", witnessed) }},
	}
	n := 5000
	if testing.Short() {
		n = 400
	}
	own, err := newSigner()
	if err != nil {
		t.Fatal(err)
	}
	const shards = 8 // each with numbers of its own, so that they can run side by side
	var mu sync.Mutex
	var group sync.WaitGroup
	found := make([]int, len(checks))
	for shard := range uint64(shards) {
		group.Go(func() {
			random := rand.New(rand.NewPCG(20261124, shard))
			for i := range n / shards {
				v, what, err := tampered(l, random, own)
				if err != nil {
					t.Errorf("%d.%d: %s: %v", shard, i, what, err)
					return
				}
				for k, c := range checks {
					err := c.do(v)
					if err == nil && c.all {
						t.Errorf("%d.%d: %s: not found by: %s", shard, i, what, c.name)
					} else if err != nil {
						mu.Lock()
						found[k]++
						mu.Unlock()
					}
				}
			}
		})
	}
	group.Wait()
	for k, c := range checks {
		t.Logf("%-46s %4d of %d (%.1f %%)", c.name, found[k], n, 100*float64(found[k])/float64(n))
	}
}

// tampered is the log after one to three changes, made to fit, under the old checkpoint or under
// one of a key of the insider's own.
func tampered(l *lab, random *rand.Rand, own *proof.Signer) (v *view, what string, err error) {
	v = l.now.clone()
	for range 1 + random.IntN(3) {
		i := 1 + random.IntN(len(v.entries)-2)
		switch kind := random.IntN(5); kind {
		case 0:
			what += fmt.Sprintf("edit %d; ", i)
			err = v.set(i, map[string]any{"resource": fmt.Sprint("/other/", random.IntN(1000))})
		case 1:
			what += fmt.Sprintf("delete %d; ", i)
			v.remove(i, 1)
		case 2:
			what += fmt.Sprintf("swap %d; ", i)
			v.swap(i, i+1)
		case 3:
			what += fmt.Sprintf("double %d; ", i)
			e, p := v.entries[i], v.data[uint64(i)]
			p.Index = uint64(len(v.entries))
			v.entries, v.data[p.Index] = append(v.entries, e), p
			err = v.set(int(p.Index), map[string]any{
				"entry_id": fmt.Sprint("made-up-", random.IntN(1000)), "index": p.Index,
			})
		case 4:
			cut := 1 + random.IntN(3)
			if len(v.entries) < cut+8 {
				cut = 1
			}
			what += fmt.Sprintf("cut %d; ", cut)
			v.remove(len(v.entries)-cut, cut)
		}
		if err != nil {
			return nil, what, err
		}
	}
	if err := v.rechain(1); err != nil {
		return nil, what, err
	}
	if v.tree().Root() == l.now.tree().Root() { // the changes have undone each other: nothing was tampered with
		return tampered(l, random, own)
	}
	if random.IntN(2) == 0 {
		return v, what + "old checkpoint", nil
	}
	if err := v.adopt(own); err != nil {
		return nil, what, err
	}
	return v, what + "own key", v.sign(own)
}
