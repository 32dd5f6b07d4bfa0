package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

func FuzzParseBatch(f *testing.F) {
	for _, m := range generated(f, 1, 6).sealed {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(m.Header)) {
			b.WriteString(name + ": " + m.Header.Get(name) + "\n")
		}
		f.Add(b.String(), m.Data)
	}
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, headers string, body []byte) {
		m := entry.Message{Header: entry.Header{}, Data: body}
		for line := range strings.Lines(headers) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			m.Header[name] = append(m.Header[name], value)
		}
		b, err := sealedlog.ParseBatch(m)
		if err != nil {
			if !errors.Is(err, sealedlog.ErrVoid) && !errors.Is(err, sealedlog.ErrVersion) {
				t.Fatal(err)
			}
			return
		}
		h, data := b.Format()
		if !bytes.Equal(data, body) {
			t.Fatalf("another body: %q, %q", data, body)
		}
		for name, values := range h {
			if !slices.Equal(values, m.Header[name]) {
				t.Fatalf("%s: %q, %q", name, values, m.Header[name])
			}
		}
		if c := audit.NewChain(); b.First == 0 {
			_, err := c.Next(m) // whatever it says, it must say it
			if err == nil && c.Size() != b.Size {
				t.Fatalf("size %d, %d", c.Size(), b.Size)
			}
		}
	})
}

func FuzzParseFile(f *testing.F) {
	w := newWriter(f)
	w.plain(2, 0)
	b := w.batch(2, sealedlog.PlaceEnd)
	tree, _ := treeOf([]entry.Hash{entry.LeafHash(w.entries[0].Leaf), entry.LeafHash(w.entries[1].Leaf)})
	p, err := proof.Inclusion(1, 2, tree)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof.EntryProof{LeafIndex: 1, MerkleProof: p, Checkpoint: string(b.Checkpoint)}.FormatFile())
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra AA==\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := proof.ParseFile(raw)
		if err != nil {
			if !errors.Is(err, proof.ErrProof) {
				t.Fatal(err)
			}
			return
		}
		path := make(proof.Path, len(file.Hashes))
		for i, h := range file.Hashes {
			path[i] = proof.Step{Hash: h}
		}
		again, err := proof.ParseFile(proof.EntryProof{LeafIndex: file.Index, MerkleProof: path,
			Checkpoint: string(file.Checkpoint)}.FormatFile())
		if err != nil || !reflect.DeepEqual(again, file) {
			t.Fatalf("%v: %+v, %+v", err, again, file)
		}
		if c, err := file.Check(w.entries[1].Leaf, w.signer.VerifierKey()); err == nil &&
			(c.Size != 2 || file.Index != 1) {
			t.Fatalf("proves index %d of %d", file.Index, c.Size)
		}
	})
}

func FuzzParseEntryProof(f *testing.F) {
	_, raw, key := entryProof(f)
	f.Add(raw)
	f.Add([]byte(`{"leaf":"x","merkle_proof":[],"checkpoint":"x"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := proof.ParseEntryProof(raw)
		if err != nil {
			return
		}
		e, c, err := p.Check(key)
		if err == nil && (e.Index >= c.Size || string(e.Leaf) != p.Leaf) {
			t.Fatalf("%+v of %+v", e, c)
		}
		if _, _, err := p.Check(); err == nil {
			t.Fatal("proven without a key")
		}
	})
}

func FuzzParseExport(f *testing.F) {
	w := generated(f, 2, 10)
	records, err := sealedlog.ParsePayloads(bytes.Join(w.payloads, nil))
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range w.entries {
		l := proof.ExportLine{Leaf: e.Leaf}
		if len(records) > 0 && records[0].Index == e.Index {
			l.Payload, records = &records[0], records[1:]
		}
		line, err := l.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte(`{"sealstream_export":1,"log":"default","origin":"o","count":1,"first":0,"last":0,"size":1,"root":"` +
		entry.Hash{}.String() + `","checkpoint":"x","filters":{"action":["deny"]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if m, err := proof.ParseManifest(line); err == nil && (m.Filters == nil || m.Export != 1) {
			t.Fatalf("%+v", m)
		}
		l, e, err := proof.ParseExportLine(line)
		if err != nil {
			return
		}
		if !e.Verify() || !bytes.Equal(e.Leaf, l.Leaf) {
			t.Fatalf("%+v", e)
		}
		written, err := l.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := proof.ParseExportLine(written)
		if err != nil || !reflect.DeepEqual(again, l) {
			t.Fatalf("%v: %+v, %+v", err, again, l)
		}
	})
}

func FuzzParsePayloads(f *testing.F) {
	for _, body := range generated(f, 3, 10).payloads {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := sealedlog.ParsePayloads(body)
		if err != nil {
			return
		}
		var written []byte
		for _, p := range list {
			written = append(p.AppendRecord(written), '\n')
		}
		if !bytes.Equal(written, body) {
			t.Fatalf("%q is written %q", body, written)
		}
	})
}

// entryProof is a JSON proof of the second of three entries, and the key that it is checked with.
func entryProof(t testing.TB) (p proof.EntryProof, raw []byte, key string) {
	w := newWriter(t)
	w.plain(2, 0)
	w.plain(3, 0)
	b := w.batch(3, sealedlog.PlaceEnd)
	var tree merkle.Tree
	for _, e := range w.entries {
		tree.Append(entry.LeafHash(e.Leaf))
	}
	path, err := proof.Inclusion(1, 3, &tree)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := w.entries[1].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	p = proof.EntryProof{
		Entry: shown, Leaf: string(w.entries[1].Leaf), LeafIndex: 1, TreeSize: 3, MerkleProof: path,
		MerkleRoot: b.Root.String(), Checkpoint: string(b.Checkpoint), Verified: true,
	}
	if raw, err = json.Marshal(p); err != nil {
		t.Fatal(err)
	}
	return p, raw, w.signer.VerifierKey()
}
