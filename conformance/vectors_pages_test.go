package conformance_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

type pageVectors struct {
	VKey  string           `json:"vkey"`
	Log   string           `json:"log"`
	Batch []batchProofCase `json:"batch"`
	Pages []pageCase       `json:"pages"`

	Receipts []receiptsCase `json:"receipts"`
}

type (
	batchProofCase struct {
		Name    string   `json:"name"`
		Indexes []uint64 `json:"indexes"`
		Leaves  []string `json:"leaf_hashes"`
		Size    uint64   `json:"size"`
		Root    string   `json:"root"`
		Hashes  []string `json:"hashes"`
		OK      bool     `json:"ok"`
		Why     string   `json:"why,omitempty"`
	}
	pageCase struct {
		Name    string          `json:"name"`
		Page    json.RawMessage `json:"page"`
		OK      bool            `json:"ok"`
		Why     string          `json:"why,omitempty"`
		Indexes []uint64        `json:"indexes,omitempty"`
	}
)

// naiveBatch is SPEC 8.1 word by word.
func naiveBatch(indexes []uint64, first uint64, leaves [][]byte) []string {
	mine := slices.ContainsFunc(indexes, func(x uint64) bool { return x >= first && x < first+uint64(len(leaves)) })
	switch {
	case !mine:
		return []string{hex.EncodeToString(naiveRoot(leaves))}
	case len(leaves) == 1:
		return []string{}
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return append(naiveBatch(indexes, first, leaves[:k]), naiveBatch(indexes, first+uint64(k), leaves[k:])...)
}

func (v *pageVectors) batches() {
	add := func(name string, size int, indexes []uint64, change func(*batchProofCase)) {
		leaves := vectorLeaves(size)
		c := batchProofCase{Name: name, Indexes: indexes, Leaves: []string{}, Size: uint64(size),
			Root:   hex.EncodeToString(naiveRoot(leaves)),
			Hashes: naiveBatch(indexes, 0, leaves), OK: change == nil}
		for _, x := range indexes {
			c.Leaves = append(c.Leaves, hex.EncodeToString(sha("\x00", leaves[x])))
		}
		if change != nil {
			c.Why = name
			change(&c)
		}
		v.Batch = append(v.Batch, c)
	}
	add("the single leaf of a tree of one", 1, []uint64{0}, nil)
	add("no leaf of a tree of one", 1, []uint64{}, nil)
	add("no leaf of 13", 13, []uint64{}, nil)
	add("the whole tree of 13", 13, span(0, 13), nil)
	add("the first of 13", 13, []uint64{0}, nil)
	add("the last of 13", 13, []uint64{12}, nil)
	add("5 to 9 of 13", 13, span(5, 10), nil)
	add("the last five of 13", 13, span(8, 13), nil)
	add("every third of 13", 13, []uint64{0, 3, 6, 9, 12}, nil)
	add("8 to 15 of 16, a perfect subtree", 16, span(8, 16), nil)
	add("100 to 199 of 257", 257, span(100, 200), nil)
	add("far apart in 300", 300, []uint64{0, 127, 128, 255, 256, 299}, nil)

	other := hex.EncodeToString(sha("other"))
	bad := func(name string, change func(c *batchProofCase)) { add(name, 13, []uint64{3, 4, 9}, change) }
	bad("two indexes swapped", func(c *batchProofCase) { c.Indexes[0], c.Indexes[1] = 4, 3 })
	bad("two leaves swapped", func(c *batchProofCase) { c.Leaves[0], c.Leaves[1] = c.Leaves[1], c.Leaves[0] })
	bad("an index twice", func(c *batchProofCase) { c.Indexes[1], c.Leaves[1] = 3, c.Leaves[0] })
	bad("a leaf shown again", func(c *batchProofCase) {
		c.Indexes, c.Leaves = []uint64{3, 3, 4, 9}, slices.Insert(c.Leaves, 0, c.Leaves[0])
	})
	bad("a leaf left out", func(c *batchProofCase) {
		c.Indexes, c.Leaves = []uint64{3, 9}, []string{c.Leaves[0], c.Leaves[2]}
	})
	bad("an index that moved by one", func(c *batchProofCase) { c.Indexes[2] = 10 })
	bad("an index at the size", func(c *batchProofCase) { c.Indexes[2] = 13 })
	bad("an index beyond the size", func(c *batchProofCase) { c.Indexes[2] = 1 << 40 })
	bad("the first hash missing", func(c *batchProofCase) { c.Hashes = c.Hashes[1:] })
	bad("the last hash missing", func(c *batchProofCase) { c.Hashes = c.Hashes[:len(c.Hashes)-1] })
	bad("no hashes", func(c *batchProofCase) { c.Hashes = []string{} })
	bad("a hash too many", func(c *batchProofCase) { c.Hashes = append(c.Hashes, other) })
	bad("a hash changed", func(c *batchProofCase) { c.Hashes[1] = other })
	bad("two hashes swapped", func(c *batchProofCase) { c.Hashes[0], c.Hashes[1] = c.Hashes[1], c.Hashes[0] })
	bad("a leaf changed", func(c *batchProofCase) { c.Leaves[1] = other })
	bad("another root", func(c *batchProofCase) { c.Root = other })
	bad("a size of another shape", func(c *batchProofCase) { c.Size = 17 })
	bad("a size of one less", func(c *batchProofCase) { c.Size = 12 })
	bad("size 0", func(c *batchProofCase) { c.Size = 0 })
	add("no leaf, and no hash", 13, []uint64{}, func(c *batchProofCase) { c.Hashes = []string{} })
	add("no leaf, and another hash than the root", 13, []uint64{}, func(c *batchProofCase) { c.Hashes[0] = other })
	add("no leaf, and the hashes of the two halves", 13, []uint64{}, func(c *batchProofCase) {
		l := vectorLeaves(13)
		c.Hashes = []string{hex.EncodeToString(naiveRoot(l[:8])), hex.EncodeToString(naiveRoot(l[8:]))}
	})
	add("an inner node for a leaf", 4, []uint64{0}, func(c *batchProofCase) {
		l := vectorLeaves(4)
		c.Leaves[0], c.Hashes = hex.EncodeToString(naiveRoot(l[:2])), c.Hashes[1:]
	})
}

func span(from, to uint64) (list []uint64) {
	for x := from; x < to; x++ {
		list = append(list, x)
	}
	return list
}

// pager puts pages of one log together by hand.
type pager struct {
	v     *pageVectors
	f     *forger
	note  string
	salts map[uint64]string
}

func (v *pageVectors) pages(t *testing.T) {
	f := newForger(t)
	f.own(1, 0, entry.TypeConfig, f.configDetail(false))
	p := pager{v: v, f: f, salts: map[uint64]string{}}
	for i := range uint64(12) {
		f.event(2+i, 0, fmt.Sprint("e-", i))
		p.salts[1+
			i] = entry.Hash(draft.DeriveSalt(vectorSecret, "did:mesh:alice", fmt.Sprint("e-", i), []byte(`{"a":1}`))).
			String()
	}
	p.note = string(f.batch(13, sealedlog.PlaceEnd).Checkpoint)
	for name, indexes := range map[string][]uint64{
		"entries 4 to 8": span(4, 9), "the whole log": span(0, 13), "entries apart": {1, 6, 12}, "no entry": {}, "one entry": {7},
	} {
		p.add(t, name, indexes, indexes, nil)
	}
	slices.SortFunc(v.Pages, func(a, b pageCase) int { return strings.Compare(a.Name, b.Name) })
	p.others(t)
	p.bad(t)
}

// page is a page's members, and those of its entries and its proof.
type page struct {
	entries []map[string]any
	proof   map[string]any
}

func (p *pager) page(indexes []uint64) page {
	leaves := make([][]byte, len(p.f.entries))
	for i, e := range p.f.entries {
		leaves[i] = e.Leaf
	}
	made := page{entries: []map[string]any{}, proof: map[string]any{
		"tree_size": len(leaves), "checkpoint": p.note, "hashes": naiveBatch(indexes, 0, leaves)}}
	for _, x := range indexes {
		line := map[string]any{"leaf": string(leaves[x])}
		if salt := p.salts[x]; salt != "" {
			line["data_raw"], line["salt"] = `{"a":1}`, salt
		}
		made.entries = append(made.entries, line)
	}
	return made
}

func (p *pager) add(t *testing.T, name string, indexes, good []uint64, change func(*page)) {
	t.Helper()
	made := p.page(indexes)
	if change != nil {
		change(&made)
	}
	raw, err := marshal(map[string]any{
		"entries": made.entries, "next_cursor": nil, "tree_size": 13, "proof": made.proof,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := pageCase{Name: name, Page: raw, OK: good != nil, Indexes: good}
	if !c.OK {
		c.Why = name
	}
	p.v.Pages = append(p.v.Pages, c)
}

// others are pages that are not as usual, and good.
func (p *pager) others(t *testing.T) {
	change := func(name string, change func(m *page)) { p.add(t, name, []uint64{3, 4, 9}, []uint64{3, 4, 9}, change) }
	change("data not shown, as if erased", func(m *page) {
		delete(m.entries[1], "data_raw")
		delete(m.entries[1], "salt")
	})
	change("data that could not be read", func(m *page) {
		delete(m.entries[1], "data_raw")
		delete(m.entries[1], "salt")
		m.entries[1]["data_error"] = "its data is missing"
	})
	change("repeat_of, the server's word", func(m *page) { m.entries[2]["repeat_of"] = 3 })
	change("a cosignature of a key that is not known", func(m *page) {
		m.proof["checkpoint"] = p.note + "— witness.example/w 0102030405060708\n"
	})
}

func (p *pager) bad(t *testing.T) {
	change := func(name string, change func(m *page)) { p.add(t, name, []uint64{3, 4, 9}, nil, change) }
	other, replace := otherHash("other").String(), strings.Replace
	leaf := func(m *page, i int, old, new string) {
		text := m.entries[i]["leaf"].(string)
		if !strings.Contains(text, old) {
			t.Fatalf("%s is not in %s", old, text)
		}
		m.entries[i]["leaf"] = replace(text, old, new, 1)
	}
	signed := func(key byte, size uint64, root entry.Hash) string {
		n, err := vectorKey(t, "sealstream.example", "default", key).Sign(size, root)
		if err != nil {
			t.Fatal(err)
		}
		return string(n)
	}
	change("a field of an entry altered", func(m *page) { leaf(m, 1, `"e-3"`, `"e-9"`) })
	change("the index of an entry altered", func(m *page) { leaf(m, 1, `"index":4`, `"index":5`) })
	change("a leaf that is not canonical", func(m *page) { m.entries[1]["leaf"] = " " + m.entries[1]["leaf"].(string) })
	change("an entry left out", func(m *page) { m.entries = slices.Delete(m.entries, 1, 2) })
	change("an entry twice", func(m *page) { m.entries = slices.Insert(m.entries, 1, m.entries[0]) })
	change("entries reordered", func(m *page) { m.entries[0], m.entries[1] = m.entries[1], m.entries[0] })
	change("an entry in another's place", func(m *page) { m.entries[1] = p.page([]uint64{5}).entries[0] })
	change("an entry added", func(m *page) { m.entries = append(m.entries, p.page([]uint64{12}).entries[0]) })
	change("the proof of another page", func(m *page) { m.proof = p.page([]uint64{2, 4, 9}).proof })
	change("hashes truncated", func(m *page) { m.proof["hashes"] = m.proof["hashes"].([]string)[1:] })
	change("a hash too many", func(m *page) { m.proof["hashes"] = append(m.proof["hashes"].([]string), other) })
	change("a hash in capitals", func(m *page) {
		m.proof["hashes"].([]string)[0] = strings.ToUpper(m.proof["hashes"].([]string)[0])
	})
	change("hashes null", func(m *page) { m.proof["hashes"] = nil })
	change("tree_size is not the checkpoint's", func(m *page) { m.proof["tree_size"] = 14 })
	change("tree_size missing", func(m *page) { delete(m.proof, "tree_size") })
	change("no proof", func(m *page) { m.proof = nil })
	change("an unknown member of the proof", func(m *page) { m.proof["root"] = other })
	change("a checkpoint without a signature", func(m *page) {
		m.proof["checkpoint"] = replace(p.note, "\n\n", "\n\n#", 1)
	})
	change("a checkpoint signed by another key", func(m *page) {
		m.proof["checkpoint"] = signed(2, 13, p.f.frontier.Root())
	})
	change("a checkpoint of another root", func(m *page) { m.proof["checkpoint"] = signed(1, 13, otherHash("root")) })
	change("a checkpoint of another size", func(m *page) {
		m.proof["checkpoint"], m.proof["tree_size"] = signed(1, 12, p.f.frontier.Root()), 12
	})
	change("data altered", func(m *page) { m.entries[1]["data_raw"] = `{"a":2}` })
	change("the salt of another entry", func(m *page) { m.entries[1]["salt"] = m.entries[0]["salt"] })
	change("data without its salt", func(m *page) { delete(m.entries[1], "salt") })
	change("data in both forms", func(m *page) { m.entries[1]["data_base64"] = "eyJhIjoxfQ==" })
	change("data_error beside data", func(m *page) { m.entries[1]["data_error"] = "gone" })
	change("data_error without a text", func(m *page) {
		delete(m.entries[1], "data_raw")
		delete(m.entries[1], "salt")
		m.entries[1]["data_error"] = ""
	})
	change("an unknown member of an entry", func(m *page) { m.entries[1]["agent_did"] = "did:mesh:mallory" })
	change("a merkle_proof in an entry", func(m *page) { m.entries[1]["merkle_proof"] = [][2]string{} })
	p.add(t, "data where none belongs", []uint64{0, 1}, nil, func(m *page) {
		m.entries[0]["data_raw"], m.entries[0]["salt"] = `{"a":1}`, p.salts[1]
	})
	p.add(t, "data_error where there is no data", []uint64{0, 1}, nil, func(m *page) {
		m.entries[0]["data_error"] = "gone"
	})
	p.add(t, "no entry, and no hash", []uint64{}, nil, func(m *page) { m.proof["hashes"] = []string{} })
}

func makePages(t *testing.T) *pageVectors {
	v := &pageVectors{VKey: vectorKey(t, "sealstream.example", "default", 1).VerifierKey(), Log: "default"}
	v.batches()
	v.pages(t)
	v.receipts(t)
	return v
}

func TestVectorsPages(t *testing.T) {
	v := vectors(t, "pages.json", *makePages(t))
	var names []string
	for _, c := range v.Batch {
		names = append(names, "batch "+c.Name)
		leaves, hashes := make([]entry.Hash, len(c.Leaves)), make([]entry.Hash, len(c.Hashes))
		for i, h := range c.Leaves {
			leaves[i] = hash(t, h)
		}
		for i, h := range c.Hashes {
			hashes[i] = hash(t, h)
		}
		if err := proof.CheckBatch(leaves, c.Indexes, c.Size, hashes, hash(t, c.Root)); (err == nil) != c.OK {
			t.Errorf("batch %s: %v, want ok %v", c.Name, err, c.OK)
		}
	}
	for _, c := range v.Pages {
		names = append(names, "page "+c.Name)
		indexes, err := checkPage(c.Page, v.Log, v.VKey)
		if (err == nil) != c.OK || c.OK && !slices.Equal(indexes, c.Indexes) {
			t.Errorf("page %s: %v %v, want ok %v", c.Name, indexes, err, c.OK)
		}
	}
	for _, c := range v.Receipts {
		names = append(names, "receipts "+c.Name)
		indexes, err := checkReceipts(c, v.Log, v.VKey)
		if (err == nil) != c.OK || c.OK && !slices.Equal(indexes, c.Indexes) {
			t.Errorf("receipts %s: %v %v, want ok %v", c.Name, indexes, err, c.OK)
		}
	}
	unique(t, "pages.json", names...)
}

func checkPage(raw []byte, log, vkey string) (indexes []uint64, err error) {
	var p struct {
		Entries []json.RawMessage
		Proof   json.RawMessage
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	var entries []entry.Entry
	for _, line := range p.Entries {
		l, err := proof.ParsePageLine(line)
		if err != nil {
			return nil, err
		}
		if l.Entry.Log != log {
			return nil, fmt.Errorf("an entry of log %q", l.Entry.Log)
		}
		entries, indexes = append(entries, l.Entry), append(indexes, l.Entry.Index)
	}
	b, err := proof.ParseBatchProof(p.Proof)
	if err != nil {
		return nil, err
	}
	_, err = b.Check(entries, vkey)
	return indexes, err
}
