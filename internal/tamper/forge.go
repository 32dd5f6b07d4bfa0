package tamper

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// The insider's tools. Each works on a copy of a view.

func (v *view) clone() *view {
	c := *v
	c.entries, c.data = slices.Clone(v.entries), maps.Clone(v.data)
	return &c
}

// set changes members of a leaf, and nothing else: the chain is broken behind it.
func (v *view) set(i int, members map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(v.entries[i].Leaf))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return err
	}
	maps.Copy(m, members)
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	leaf, err := canonical.Canonicalize(raw)
	if err != nil {
		return err
	}
	e, err := entry.ParseEntry(leaf)
	if err != nil {
		return fmt.Errorf("forged leaf %d: %w", i, err)
	}
	v.entries[i] = e
	return nil
}

// rechain gives every entry from an index on its number, its place in the input and the hash of the
// one before it, so that nothing within the log tells that it was changed.
func (v *view) rechain(from int) error {
	for i := from; i < len(v.entries); i++ {
		members := map[string]any{"index": i, "previous_hash": entry.Hash{}}
		if i > 0 {
			before := v.entries[i-1]
			members["previous_hash"], members["input_seq"], members["position"] = before.EntryHash, before.InputSeq+1, 0
		}
		if err := v.set(i, members); err != nil {
			return err
		}
	}
	return nil
}

// remove takes entries out, and their data.
func (v *view) remove(i, n int) {
	data := map[uint64]entry.Payload{}
	for at, p := range v.data {
		switch {
		case at >= uint64(i+n):
			p.Index = at - uint64(n)
			data[p.Index] = p
		case at < uint64(i):
			data[at] = p
		}
	}
	v.entries, v.data = slices.Delete(v.entries, i, i+n), data
}

// swap exchanges two entries, and their data.
func (v *view) swap(i, j int) {
	v.entries[i], v.entries[j] = v.entries[j], v.entries[i]
	v.swapData(uint64(i), uint64(j))
}

func (v *view) swapData(i, j uint64) {
	a, b := v.data[i], v.data[j]
	a.Index, b.Index = j, i
	v.data[i], v.data[j] = b, a
}

// sign makes the checkpoint that fits the entries, with a key.
func (v *view) sign(s *proof.Signer) (err error) {
	v.signer = s
	v.note, err = s.Sign(uint64(len(v.entries)), v.tree().Root())
	return err
}

// adopt makes the log one of another key: its config names that key. Only whoever has the right key
// from elsewhere can tell.
func (v *view) adopt(s *proof.Signer) error {
	detail := map[string]any{}
	raw, err := json.Marshal(v.entries[0])
	if err != nil {
		return err
	}
	var shown struct{ Detail json.RawMessage }
	if err := json.Unmarshal(raw, &shown); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(shown.Detail))
	d.UseNumber()
	if err := d.Decode(&detail); err != nil {
		return err
	}
	detail["origin"], detail["keys"] = s.Origin(), []string{s.VerifierKey()}
	if err := v.set(0, map[string]any{"detail": detail, "agent_did": s.Origin()}); err != nil {
		return err
	}
	return v.rechain(1)
}

func (v *view) tree() *merkle.Frontier {
	f := &merkle.Frontier{}
	for _, e := range v.entries {
		f.Append(entry.LeafHash(e.Leaf))
	}
	return f
}

func newSigner() (*proof.Signer, error) {
	skey, _, err := proof.GenerateKey("lab.example", "default")
	if err != nil {
		return nil, err
	}
	return proof.NewSigner(skey)
}
