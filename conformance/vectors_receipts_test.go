package conformance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

type (
	receiptsCase struct {
		Name    string          `json:"name"`
		Events  []sentEvent     `json:"events"`
		Answer  json.RawMessage `json:"answer"`
		OK      bool            `json:"ok"`
		Why     string          `json:"why,omitempty"`
		Indexes []uint64        `json:"indexes,omitempty"`
	}
	sentEvent struct {
		ID     string `json:"id"`
		Source string `json:"source"`
		Data   string `json:"data"`
	}
)

// receiver puts answers of ingest together by hand: the log has two batches of six events each,
// after the config.
type receiver struct {
	v     *pageVectors
	t     *testing.T
	f     *forger
	notes map[int]string // by size
}

func (v *pageVectors) receipts(t *testing.T) {
	f := newForger(t)
	f.own(1, 0, entry.TypeConfig, f.configDetail(false))
	f.batch(1, sealedlog.PlaceEnd)
	r := &receiver{v: v, t: t, f: f, notes: map[int]string{}}
	for _, size := range []int{7, 13} {
		for len(f.entries) < size {
			f.event(uint64(size), uint64(len(f.entries)), fmt.Sprint("e-", len(f.entries)))
		}
		r.notes[size] = string(f.batch(uint64(size), sealedlog.PlaceEnd).Checkpoint)
	}
	r.good("one receipt", []uint64{4}, nil)
	r.good("some receipts of one batch", []uint64{2, 3, 6}, nil)
	r.good("all of a batch", span(7, 13), nil)
	r.good("receipts of two batches", []uint64{5, 6, 7, 12}, nil)
	r.good("one without a proof beside them", []uint64{2, 3, 6}, func(a *received) {
		a.receipts[1] = map[string]any{"entry_id": "e-3", "agent_did": "did:mesh:alice", "status": "duplicate", "index": 3}
		a.proofs[0]["hashes"] = naiveBatch([]uint64{2, 6}, 0, r.leaves(7))
	}, 2, 6)
	r.good("no proofs", []uint64{2}, func(a *received) {
		for _, name := range []string{"proof", "leaf", "salt"} {
			delete(a.receipts[0], name)
		}
		a.proofs = []map[string]any{}
	}, []uint64{}...)
	r.bad()
}

// leaves are those of the log at a size.
func (r *receiver) leaves(size int) (list [][]byte) {
	for _, e := range r.f.entries[:size] {
		list = append(list, e.Leaf)
	}
	return list
}

// received is an answer and what was sent for it.
type received struct {
	events   []sentEvent
	receipts []map[string]any
	proofs   []map[string]any
}

func (r *receiver) answer(indexes []uint64) *received {
	a := &received{proofs: []map[string]any{}}
	for _, size := range []int{7, 13} {
		mine := slices.DeleteFunc(slices.Clone(indexes), func(x uint64) bool { return (x < 7) != (size == 7) })
		if len(mine) == 0 {
			continue
		}
		for _, x := range mine {
			e := r.f.entries[x]
			salt := draft.DeriveSalt(vectorSecret, e.AgentDID, e.EntryID, []byte(`{"a":1}`))
			a.events = append(a.events, sentEvent{e.EntryID, e.AgentDID, `{"a":1}`})
			a.receipts = append(a.receipts, map[string]any{
				"entry_id": e.EntryID, "agent_did": e.AgentDID, "status": "sealed", "index": x,
				"entry_hash": e.EntryHash.String(), "leaf": string(e.Leaf), "salt": entry.Hash(salt).String(),
				"proof": len(a.proofs),
			})
		}
		a.proofs = append(a.proofs, map[string]any{
			"tree_size": size, "checkpoint": r.notes[size], "hashes": naiveBatch(mine, 0, r.leaves(size)),
		})
	}
	return a
}

// good adds an answer that proves the entries of its receipts, or those given.
func (r *receiver) good(name string, indexes []uint64, change func(*received), proven ...uint64) {
	if proven == nil {
		proven = indexes
	}
	r.add(name, indexes, change, proven)
}

func (r *receiver) add(name string, indexes []uint64, change func(*received), proven []uint64) {
	a := r.answer(indexes)
	if change != nil {
		change(a)
	}
	raw, err := marshal(map[string]any{"receipts": a.receipts, "proofs": a.proofs})
	if err != nil {
		r.t.Fatal(err)
	}
	c := receiptsCase{Name: name, Events: a.events, Answer: raw, OK: proven != nil, Indexes: proven}
	if !c.OK {
		c.Why = name
	}
	r.v.Receipts = append(r.v.Receipts, c)
}

func (r *receiver) bad() {
	change := func(name string, change func(a *received)) { r.add(name, []uint64{2, 3, 6, 9}, change, nil) }
	entryOf := func(x uint64) map[string]any { return r.answer([]uint64{x}).receipts[0] }
	alter := func(a *received, i int, old, new string) {
		text := a.receipts[i]["leaf"].(string)
		a.receipts[i]["leaf"] = strings.Replace(text, old, new, 1)
		if a.receipts[i]["leaf"] == text {
			r.t.Fatalf("%s is not in %s", old, text)
		}
	}
	rehash := func(a *received, i int) {
		a.receipts[i]["entry_hash"] = entry.LeafHash([]byte(a.receipts[i]["leaf"].(string))).String()
	}
	change("a leaf altered", func(a *received) { alter(a, 1, `"x.y"`, `"x.z"`) })
	change("a leaf altered, and its hash", func(a *received) { alter(a, 1, `"x.y"`, `"x.z"`); rehash(a, 1) })
	change("a leaf that is not canonical", func(a *received) { alter(a, 1, "{", "{ "); rehash(a, 1) })
	change("the leaf of another log", func(a *received) { alter(a, 1, `"log":"default"`, `"log":"other"`); rehash(a, 1) })
	change("no leaf", func(a *received) { delete(a.receipts[1], "leaf") })
	change("another event's entry", func(a *received) {
		for name, v := range entryOf(4) {
			if name != "entry_id" {
				a.receipts[1][name] = v
			}
		}
		a.proofs[0]["hashes"] = naiveBatch([]uint64{2, 4, 6}, 0, r.leaves(7))
	})
	change("receipts out of order", func(a *received) {
		a.receipts[0], a.receipts[1] = a.receipts[1], a.receipts[0]
		a.events[0], a.events[1] = a.events[1], a.events[0]
	})
	change("one entry for two receipts", func(a *received) { a.receipts[1], a.events[1] = a.receipts[0], a.events[0] })
	change("another index", func(a *received) { a.receipts[1]["index"] = 4 })
	change("another entry_hash", func(a *received) { a.receipts[1]["entry_hash"] = otherHash("x").String() })
	change("another event's salt", func(a *received) { a.receipts[1]["salt"] = a.receipts[0]["salt"] })
	change("a proof that is not there", func(a *received) { a.receipts[3]["proof"] = 2 })
	change("the proof of another batch", func(a *received) { a.receipts[3]["proof"] = 0 })
	change("the proofs swapped", func(a *received) { a.proofs[0], a.proofs[1] = a.proofs[1], a.proofs[0] })
	change("a proof of one receipt more", func(a *received) {
		a.receipts[1] = map[string]any{"entry_id": "e-3", "agent_did": "did:mesh:alice", "status": "stored"}
	})
	change("hashes truncated", func(a *received) { a.proofs[0]["hashes"] = a.proofs[0]["hashes"].([]string)[1:] })
	change("a hash altered", func(a *received) { a.proofs[0]["hashes"].([]string)[0] = otherHash("x").String() })
	change("an unknown member of a proof", func(a *received) { a.proofs[0]["root"] = otherHash("x").String() })
	change("the checkpoint of an older size", func(a *received) { a.proofs[1]["checkpoint"] = r.notes[7] })
	change("the checkpoint of an older size, and its tree_size", func(a *received) {
		a.proofs[1]["checkpoint"], a.proofs[1]["tree_size"] = r.notes[7], 7
	})
	sign := func(key byte, size int, root entry.Hash) string {
		n, err := vectorKey(r.t, "sealstream.example", "default", key).Sign(uint64(size), root)
		if err != nil {
			r.t.Fatal(err)
		}
		return string(n)
	}
	change("a checkpoint of another key", func(a *received) {
		a.proofs[1]["checkpoint"] = sign(2, 13, r.f.frontier.Root())
	})
	change("a checkpoint of another root", func(a *received) { a.proofs[1]["checkpoint"] = sign(1, 13, otherHash("x")) })
}

func checkReceipts(c receiptsCase, log, vkey string) (indexes []uint64, err error) {
	var got struct {
		Receipts []api.Receipt
		Proofs   []json.RawMessage
	}
	if err := json.Unmarshal(c.Answer, &got); err != nil {
		return nil, err
	}
	of := make([][]entry.Entry, len(got.Proofs))
	for i, r := range got.Receipts {
		if r.ProofAt == nil {
			continue
		}
		e, err := entry.ParseEntry([]byte(r.Leaf))
		if err != nil {
			return nil, err
		}
		salt, err := entry.ParseHash(r.Salt)
		sent := c.Events[i]
		switch {
		case err != nil:
			return nil, err
		case *r.ProofAt >= len(of):
			return nil, errors.New("no such proof")
		case e.Index != r.Index, e.EntryHash.String() != r.EntryHash, e.Log != log:
			return nil, errors.New("another entry than the receipt's")
		case e.EntryID != sent.ID, e.AgentDID != sent.Source, *e.DataHash != entry.DataHash(salt, []byte(sent.Data)):
			return nil, errors.New("another event than was sent")
		}
		of[*r.ProofAt], indexes = append(of[*r.ProofAt], e), append(indexes, e.Index)
	}
	for i, raw := range got.Proofs {
		p, err := proof.ParseBatchProof(raw)
		if err == nil {
			_, err = p.Check(of[i], vkey)
		}
		if err != nil {
			return nil, err
		}
	}
	return indexes, nil
}
