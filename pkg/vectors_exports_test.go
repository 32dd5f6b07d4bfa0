package pkg_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

type exportVectors struct {
	Cases []exportCase `json:"cases"`
}

type exportCase struct {
	Name          string   `json:"name"`
	File          string   `json:"file"`
	VKeys         []string `json:"vkeys"`
	Valid         bool     `json:"valid"`
	FirstBadIndex *uint64  `json:"first_bad_index,omitempty"`
	Why           string   `json:"why,omitempty"`
}

// exporter writes exports of one log: a manifest and lines of members, all of which can be changed.
type exporter struct {
	t     *testing.T
	v     exportVectors
	files map[string][]byte
	vkey  string
	log   *sealing
	root  entry.Hash
	note  []byte
}

type exportLine struct {
	index    int
	Leaf     string          `json:"leaf"`
	Raw      *string         `json:"data_raw,omitempty"`
	Base64   *string         `json:"data_base64,omitempty"`
	Salt     string          `json:"salt,omitempty"`
	Proof    [][2]string     `json:"merkle_proof,omitempty"`
	Whatever json.RawMessage `json:"whatever,omitempty"`
}

type exportDocument struct {
	manifest map[string]any
	lines    []*exportLine
}

// newExporter seals a log with everything that an export can hold, an erasure of index 2 among it.
func newExporter(t *testing.T) *exporter {
	t.Helper()
	signer := vectorKey(t, "sealstream.example", "default", 1)
	events := &eventVectors{Log: "default", Secret: fmt.Sprintf("%x", vectorSecret), Origin: signer.Origin(), VKey: signer.VerifierKey()}
	s := events.story(t, "export", "", true)
	s.event("1", `"data":{"a":1},"action":"allow","outcome":"success"`, tool)
	s.event("2", `"data":"secret: 4711"`, tool)
	s.event("3", "", tool)
	s.event("4", `"data_base64":"AP8="`, tool)
	s.event("1", `"data":{"a":2}`, "sealstream.equivocation")
	s.event("3", "", "sealstream.duplicate")
	s.open("not JSON", "rejected")
	s.seq++
	s.event("5", `"datacontenttype":"text/plain","data":"é\n😂"`, "sealstream.gap", tool)
	s.control("sealstream.erasure", `{"authority":"DPO","indexes":[2],"reason":"GDPR art. 17"}`, "sealstream.erasure")
	s.event("6", `"data":[]`, tool)
	s.end()
	x := &exporter{t: t, files: map[string][]byte{}, vkey: signer.VerifierKey(), log: s.c.sealed(t, *events)}
	x.root = x.log.root()
	var err error
	if x.note, err = signer.Sign(uint64(len(x.log.entries)), x.root); err != nil {
		t.Fatal(err)
	}
	return x
}

// document is an export of the entries at indexes; nil is a whole one.
func (x *exporter) document(indexes []int) *exportDocument {
	size := len(x.log.entries)
	d := &exportDocument{manifest: map[string]any{"sealstream_export": 1, "log": "default", "origin": x.log.origin, "size": size, "root": entry.FormatHash(x.root),
		"checkpoint": string(x.note), "filters": map[string][]string{}}}
	filtered := indexes != nil
	if filtered {
		d.manifest["filters"] = map[string][]string{"action": {"allow"}}
	} else {
		for i := range size {
			indexes = append(indexes, i)
		}
	}
	leaves, payloads := make([][]byte, size), map[uint64]map[string]json.RawMessage{}
	for i, e := range x.log.entries {
		leaves[i] = e.Leaf
	}
	for _, r := range x.log.records {
		p, err := entry.ParsePayload(r)
		m := map[string]json.RawMessage{}
		if err == nil {
			err = json.Unmarshal(r, &m)
		}
		if err != nil {
			x.t.Fatal(err)
		}
		payloads[p.Index] = m
	}
	for _, i := range indexes {
		l := &exportLine{index: i, Leaf: string(leaves[i])}
		if filtered {
			l.Proof = naivePath(uint64(i), leaves)
		}
		if m := payloads[uint64(i)]; m != nil && i != 2 {
			for name, p := range map[string]any{"data_raw": &l.Raw, "data_base64": &l.Base64, "salt": &l.Salt} {
				if m[name] != nil {
					if err := json.Unmarshal(m[name], p); err != nil {
						x.t.Fatal(err)
					}
				}
			}
		}
		d.lines = append(d.lines, l)
	}
	d.manifest["count"] = len(d.lines)
	if len(indexes) > 0 {
		d.manifest["first"], d.manifest["last"] = indexes[0], indexes[len(indexes)-1]
	}
	return d
}

func (d *exportDocument) bytes(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	m, err := marshal(d.manifest)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(append(m, '\n'))
	for _, l := range d.lines {
		raw, err := marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(raw, '\n'))
	}
	return b.Bytes()
}

func (x *exporter) add(name string, raw []byte, vkeys []string, valid bool, at *uint64) {
	file := "exports/" + strings.NewReplacer(" ", "-", "'", "", ":", "", ",", "").Replace(name) + ".jsonl"
	c := exportCase{Name: name, File: file, VKeys: vkeys, Valid: valid, FirstBadIndex: at}
	if !valid {
		c.Why = name
	}
	if x.files[file] != nil {
		x.t.Fatalf("%s twice", file)
	}
	x.files[file] = raw
	x.v.Cases = append(x.v.Cases, c)
}

var someIndexes = []int{0, 1, 2, 4, 7, 11}

func makeExports(t *testing.T) *exporter {
	x := newExporter(t)
	keys, none := []string{x.vkey}, []string{}
	x.add("whole", x.document(nil).bytes(t), keys, true, nil)
	x.add("whole, checked without a key", x.document(nil).bytes(t), none, true, nil)
	x.add("filtered", x.document(someIndexes).bytes(t), keys, true, nil)
	x.add("filtered, nothing found", x.document([]int{}).bytes(t), keys, true, nil)
	x.add("filtered, checked without a key", x.document(someIndexes).bytes(t), none, false, nil)
	zero := uint64(0)
	x.add("whole, of another key", x.document(nil).bytes(t), []string{vectorKey(t, "sealstream.example", "default", 2).VerifierKey()}, false, &zero)
	x.add("filtered, of another key", x.document(someIndexes).bytes(t), []string{vectorKey(t, "sealstream.example", "default", 2).VerifierKey()}, false, &zero)
	x.bad("whole", nil)
	x.bad("filtered", someIndexes)
	x.badWhole()
	x.badFiltered()
	whole := x.document(nil).bytes(t)
	x.add("empty", nil, keys, false, nil)
	x.add("no manifest", whole[bytes.IndexByte(whole, '\n')+1:], keys, false, nil)
	x.add("export of version 2", bytes.Replace(whole, []byte(`"sealstream_export":1`), []byte(`"sealstream_export":2`), 1), keys, false, nil)
	x.add("manifest without filters", bytes.Replace(whole, []byte(`"filters":{},`), nil, 1), keys, false, nil)
	x.add("manifest with a member twice", bytes.Replace(whole, []byte(`"count":`), []byte(`"count":1,"count":`), 1), keys, false, nil)
	return x
}

// change adds a bad export that differs in what change does; at is the index that is to be named, below 0 none.
func (x *exporter) change(kind, name string, indexes []int, at int, change func(d *exportDocument)) {
	d := x.document(indexes)
	change(d)
	var index *uint64
	if at >= 0 {
		n := uint64(at)
		index = &n
	}
	x.add(kind+": "+name, d.bytes(x.t), []string{x.vkey}, false, index)
}

func (d *exportDocument) at(index int) *exportLine {
	return d.lines[slices.IndexFunc(d.lines, func(l *exportLine) bool { return l.index == index })]
}

func (x *exporter) bad(kind string, indexes []int) {
	bad := func(name string, at int, change func(d *exportDocument)) { x.change(kind, name, indexes, at, change) }
	size, whole := len(x.log.entries), indexes == nil
	of := func(inWhole, inFiltered int) int { // where the two kinds of exports name different indexes
		if whole {
			return inWhole
		}
		return inFiltered
	}
	text := func(s string) *string { return &s }
	bad("data changed", 1, func(d *exportDocument) { d.at(1).Raw = text(`{"a":2}`) })
	bad("salt changed", 1, func(d *exportDocument) { d.at(1).Salt = entry.ZeroHash })
	bad("data of another entry", 1, func(d *exportDocument) { d.at(1).Raw, d.at(1).Salt = d.at(11).Raw, d.at(11).Salt })
	bad("data where none belongs", 0, func(d *exportDocument) { d.at(0).Raw, d.at(0).Salt = d.at(1).Raw, d.at(1).Salt })
	bad("data without salt", of(1, -1), func(d *exportDocument) { d.at(1).Salt = "" })
	bad("text in base64", of(1, -1), func(d *exportDocument) { d.at(1).Raw, d.at(1).Base64 = nil, text("eyJhIjoxfQ==") })
	bad("both forms of data", of(1, -1), func(d *exportDocument) { d.at(1).Base64 = text("AP8=") })
	bad("another member", of(1, -1), func(d *exportDocument) { d.at(1).Whatever = json.RawMessage("1") })
	bad("leaf not canonical", of(1, -1), func(d *exportDocument) { d.at(1).Leaf = " " + d.at(1).Leaf })
	bad("leaf of another log", 1, func(d *exportDocument) {
		d.at(1).Leaf = strings.Replace(d.at(1).Leaf, `"log":"default"`, `"log":"other"`, 1)
	})
	bad("rejected entry's data changed", 7, func(d *exportDocument) { d.at(7).Raw = text("now JSON") })
	bad("two lines swapped", 1, func(d *exportDocument) { d.lines[1], d.lines[2] = d.lines[2], d.lines[1] })
	bad("a line twice", of(2, 1), func(d *exportDocument) { d.lines = slices.Insert(d.lines, 1, d.lines[1]) })
	bad("the last line missing", of(size-2, 7), func(d *exportDocument) { d.lines = d.lines[:len(d.lines)-1] })
	bad("size of the manifest", of(size, 0), func(d *exportDocument) { d.manifest["size"] = size + 1 })
	bad("root of the manifest", of(size-1, 0), func(d *exportDocument) { d.manifest["root"] = entry.ZeroHash })
	bad("origin of the manifest", 0, func(d *exportDocument) { d.manifest["origin"] = "sealstream.example/default/00000000" })
	bad("log of the manifest", 0, func(d *exportDocument) { d.manifest["log"] = "other" })
	bad("first of the manifest", -1, func(d *exportDocument) { d.manifest["first"] = 1 })
	bad("checkpoint with a changed signature", 0, func(d *exportDocument) { d.manifest["checkpoint"] = mutateSignature(x.t, string(x.note)) })
	bad("checkpoint of another root", 0, func(d *exportDocument) {
		signed, err := vectorKey(x.t, "sealstream.example", "default", 1).Sign(uint64(len(x.log.entries)), otherHash("root"))
		if err != nil {
			x.t.Fatal(err)
		}
		d.manifest["checkpoint"] = string(signed)
	})
}

func (x *exporter) badWhole() {
	bad := func(name string, at int, change func(d *exportDocument)) { x.change("whole", name, nil, at, change) }
	bad("data missing without an erasure", 4, func(d *exportDocument) { d.at(4).Base64, d.at(4).Salt = nil, "" })
	bad("a line missing", 3, func(d *exportDocument) { d.lines = slices.Delete(d.lines, 3, 4) })
	bad("the first line missing", 0, func(d *exportDocument) { d.lines = d.lines[1:] })
	bad("leaf changed", 4, func(d *exportDocument) {
		d.at(3).Leaf = strings.Replace(d.at(3).Leaf, `"entry_id":"3"`, `"entry_id":"9"`, 1)
	})
	bad("last leaf changed", 11, func(d *exportDocument) {
		d.at(11).Leaf = strings.Replace(d.at(11).Leaf, `"entry_id":"6"`, `"entry_id":"9"`, 1)
	})
	bad("a merkle_proof", 1, func(d *exportDocument) { d.at(1).Proof = x.document(someIndexes).at(1).Proof })
	bad("cut, with a manifest that fits", 11, func(d *exportDocument) {
		d.lines = d.lines[:11]
		d.manifest["count"], d.manifest["last"] = 11, 10
	})
}

func (x *exporter) badFiltered() {
	bad := func(name string, at int, change func(d *exportDocument)) {
		x.change("filtered", name, someIndexes, at, change)
	}
	bad("leaf changed", 1, func(d *exportDocument) {
		d.at(1).Leaf = strings.Replace(d.at(1).Leaf, `"entry_id":"1"`, `"entry_id":"9"`, 1)
	})
	bad("no merkle_proof", 4, func(d *exportDocument) { d.at(4).Proof = nil })
	bad("a hash changed", 4, func(d *exportDocument) { d.at(4).Proof[0][0] = entry.ZeroHash })
	bad("a side changed", 4, func(d *exportDocument) { d.at(4).Proof[0][1] = "left" })
	bad("merkle_proof of another entry", 4, func(d *exportDocument) { d.at(4).Proof = d.at(1).Proof })
	bad("count of the manifest", 11, func(d *exportDocument) { d.manifest["count"] = 5 })
	bad("last of the manifest", 11, func(d *exportDocument) { d.manifest["last"] = 10 })
}

func TestVectorsExports(t *testing.T) {
	x := makeExports(t)
	for _, file := range slices.Sorted(maps.Keys(x.files)) {
		golden(t, filepath.Join(vectorDir, filepath.FromSlash(file)), x.files[file])
	}
	v := vectors(t, "exports.json", x.v)
	names := make([]string, len(v.Cases))
	for i, c := range v.Cases {
		names[i] = c.Name
		raw, err := os.ReadFile(filepath.Join(vectorDir, filepath.FromSlash(c.File)))
		if err != nil {
			t.Fatal(err)
		}
		report, err := proof.AuditExport(proof.AuditConfig{Keys: c.VKeys}, lines(raw))
		if (err == nil) != c.Valid {
			t.Errorf("%s: %v, want valid %v", c.Name, err, c.Valid)
		}
		if m, ok := errors.AsType[*proof.MismatchError](err); c.FirstBadIndex != nil && (!ok || m.Index != *c.FirstBadIndex) {
			t.Errorf("%s: %v, want index %d", c.Name, err, *c.FirstBadIndex)
		}
		if err == nil && report.Size != uint64(len(x.log.entries)) {
			t.Errorf("%s: size %d", c.Name, report.Size)
		}
	}
	unique(t, "exports.json", names...)
	have, err := os.ReadDir(filepath.Join(vectorDir, "exports"))
	if err != nil || len(have) != len(v.Cases) {
		t.Errorf("%d files in exports, %d cases: %v", len(have), len(v.Cases), err)
	}
}

func lines(raw []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for line := range bytes.Lines(raw) {
			if !yield(bytes.TrimSuffix(line, []byte("\n")), nil) {
				return
			}
		}
	}
}
