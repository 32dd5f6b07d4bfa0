package conformance_test

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

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/entry"
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
	Error    *string         `json:"data_error,omitempty"`
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
	events := &eventVectors{
		Log: "default", Secret: fmt.Sprintf("%x", vectorSecret), Origin: signer.Origin(), VKey: signer.VerifierKey(),
	}
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
	d := &exportDocument{manifest: map[string]any{"sealstream_export": 1, "log": "default", "origin": x.log.origin,
		"size": size, "root": x.root.String(),
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
	marked, why := x.document(someIndexes), "its data is missing, and no erasure entry names it"
	marked.at(4).Base64, marked.at(4).Salt, marked.at(4).Error = nil, "", &why
	x.add("filtered, data that could not be read", marked.bytes(t), keys, true, nil)
	zero := uint64(0)
	x.add("whole, of another key", x.document(nil).bytes(t),
		[]string{vectorKey(t, "sealstream.example", "default", 2).VerifierKey()}, false, &zero)
	x.add("filtered, of another key", x.document(someIndexes).bytes(t),
		[]string{vectorKey(t, "sealstream.example", "default", 2).VerifierKey()}, false, &zero)
	x.bad("whole", nil)
	x.bad("filtered", someIndexes)
	x.badWhole()
	x.badFiltered()
	whole := x.document(nil).bytes(t)
	x.blank(whole, x.document(someIndexes).bytes(t))
	x.add("empty", nil, keys, false, nil)
	x.add("no manifest", whole[bytes.IndexByte(whole, '\n')+1:], keys, false, nil)
	x.add("export of version 2",
		bytes.Replace(whole, []byte(`"sealstream_export":1`), []byte(`"sealstream_export":2`), 1), keys, false, nil)
	x.add("manifest without filters", bytes.Replace(whole, []byte(`"filters":{},`), nil, 1), keys, false, nil)
	x.manifests(whole, x.document([]int{}))
	x.add("manifest with a member twice", bytes.Replace(whole, []byte(`"count":`), []byte(`"count":1,"count":`), 1),
		keys, false, nil)
	return x
}

// manifests adds exports whose manifest is of another form, or says what no log can be.
func (x *exporter) manifests(whole []byte, nothing *exportDocument) {
	keys := []string{x.vkey}
	change := func(name, old, new string) {
		if !bytes.Contains(whole, []byte(old)) {
			x.t.Fatalf("%s: %q is not in the manifest", name, old)
		}
		x.add("manifest with "+name, bytes.Replace(whole, []byte(old), []byte(new), 1), keys, false, nil)
	}
	change("a first of minus zero", `"first":0`, `"first":-0`)
	change("filters that are no lists", `"filters":{}`, `"filters":{"action":"allow"}`)
	change("a filter of null", `"filters":{}`, `"filters":{"action":[null]}`)
	change("an origin of null", `"origin":"`+x.log.origin+`"`, `"origin":null`)
	nothing.manifest["log"] = "other"
	x.add("filtered, nothing found, log of the manifest", nothing.bytes(x.t), keys, false, new(uint64))
	odd := x.document(someIndexes)
	odd.at(4).Base64, odd.at(4).Salt, odd.at(4).Error = nil, "", new(string)
	*odd.at(4).Error = "LONE"
	x.add("filtered, data_error with a lone surrogate",
		bytes.Replace(odd.bytes(x.t), []byte("LONE"), []byte(`\udc00`), 1), keys, false, nil)
	long := x.document(nil)
	long.lines = append(long.lines, long.lines[len(long.lines)-1])
	x.add("whole, a line more than the tree has", long.bytes(x.t), keys, false, new(uint64(len(x.log.entries))))
	signed, err := vectorKey(x.t, "sealstream.example", "default", 1).Sign(0, entry.Hash(sha()))
	if err != nil {
		x.t.Fatal(err)
	}
	empty := x.document([]int{})
	empty.manifest["size"], empty.manifest["root"], empty.manifest["checkpoint"] = 0,
		entry.Hash(sha()).String(), string(signed)
	empty.manifest["filters"] = map[string][]string{}
	x.add("whole, of no entries", empty.bytes(x.t), keys, false, new(uint64))
}

// blank adds exports with empty lines: behind the last entry they are nothing, between entries they are a fault.
func (x *exporter) blank(whole, filtered []byte) {
	keys, at := []string{x.vkey}, uint64(2)
	x.add("whole, an empty line behind", slices.Concat(whole, []byte("\n")), keys, true, nil)
	x.add("whole, blank lines behind", slices.Concat(whole, []byte("\n \t\r\n\r")), keys, true, nil)
	x.add("filtered, an empty line behind", slices.Concat(filtered, []byte("\n")), keys, true, nil)
	x.add("whole, lines that end with CR LF", bytes.ReplaceAll(whole, []byte("\n"), []byte("\r\n")), keys, true, nil)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	x.add("whole, an empty line between",
		slices.Concat(slices.Concat(lines[:3]...), []byte("\n"), slices.Concat(lines[3:]...)), keys, false, &at)
	x.add("whole, the last line missing and an empty one",
		slices.Concat(slices.Concat(lines[:len(lines)-2]...), []byte("\n")), keys, false, nil)
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
	bad("salt changed", 1, func(d *exportDocument) { d.at(1).Salt = entry.Hash{}.String() })
	bad("data of another entry", 1, func(d *exportDocument) { d.at(1).Raw, d.at(1).Salt = d.at(11).Raw, d.at(11).Salt })
	bad("data where none belongs", 0, func(d *exportDocument) { d.at(0).Raw, d.at(0).Salt = d.at(1).Raw, d.at(1).Salt })
	bad("data without salt", of(1, -1), func(d *exportDocument) { d.at(1).Salt = "" })
	bad("data_error beside data", of(1, -1), func(d *exportDocument) { d.at(1).Error = text("unreadable") })
	bad("data_error without a text", of(1, -1), func(d *exportDocument) {
		d.at(1).Raw, d.at(1).Salt, d.at(1).Error = nil, "", text("")
	})
	bad("text in base64", of(1, -1), func(d *exportDocument) {
		d.at(1).Raw, d.at(1).Base64 = nil, text("eyJhIjoxfQ==")
	})
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
	bad("root of the manifest", of(size-1, 0), func(d *exportDocument) { d.manifest["root"] = entry.Hash{}.String() })
	bad("origin of the manifest", 0, func(d *exportDocument) {
		d.manifest["origin"] = "sealstream.example/default/00000000"
	})
	bad("log of the manifest", 0, func(d *exportDocument) { d.manifest["log"] = "other" })
	bad("first of the manifest", -1, func(d *exportDocument) { d.manifest["first"] = 1 })
	bad("checkpoint with a changed signature", 0, func(d *exportDocument) {
		d.manifest["checkpoint"] = mutateSignature(x.t, string(x.note))
	})
	bad("checkpoint of another root", 0, func(d *exportDocument) {
		signed, err := vectorKey(x.t, "sealstream.example", "default", 1).Sign(uint64(len(x.log.entries)),
			otherHash("root"))
		if err != nil {
			x.t.Fatal(err)
		}
		d.manifest["checkpoint"] = string(signed)
	})
}

func (x *exporter) badWhole() {
	bad := func(name string, at int, change func(d *exportDocument)) { x.change("whole", name, nil, at, change) }
	bad("data missing without an erasure", 4, func(d *exportDocument) { d.at(4).Base64, d.at(4).Salt = nil, "" })
	bad("data that could not be read", 4, func(d *exportDocument) {
		why := "PAYLOADS sequence 2 holds data that does not open data_hash"
		d.at(4).Base64, d.at(4).Salt, d.at(4).Error = nil, "", &why
	})
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
	bad("a hash changed", 4, func(d *exportDocument) { d.at(4).Proof[0][0] = entry.Hash{}.String() })
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
		report, err := audit.Export(audit.Config{Keys: c.VKeys}, lines(raw))
		if (err == nil) != c.Valid {
			t.Errorf("%s: %v, want valid %v", c.Name, err, c.Valid)
		}
		if m, ok := errors.AsType[*audit.MismatchError](err); c.FirstBadIndex != nil &&
			(!ok || m.Index != *c.FirstBadIndex) {
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
