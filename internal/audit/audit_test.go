package audit_test

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

func TestAuditReports(t *testing.T) {
	w := generated(t, 1, 100)
	var own, events, withData uint64
	for _, e := range w.entries {
		if e.IsEvent() {
			events++
		} else {
			own++
		}
		if e.DataHash != nil {
			withData++
		}
	}
	r, err := w.audit(w.sealed, w.payloads, w.signer.VerifierKey())
	if err != nil || r.Log != "default" || r.Origin != w.signer.Origin() || r.Size != uint64(len(w.entries)) ||
		r.Root != w.frontier.Root() || r.Key != w.signer.VerifierKey() || r.Batches != uint64(len(w.sealed)) ||
		r.Events != events || r.Own != own || r.Payloads != withData || r.Erased != 0 || !r.DataChecked ||
		r.Void != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if c, err := proof.OpenCheckpoint(r.Checkpoint, r.Key); err != nil || c.Size != r.Size || c.Root != r.Root {
		t.Errorf("%+v, %v", c, err)
	}
	if r, err := w.audit(w.sealed, w.payloads); err != nil || r.Key != w.signer.VerifierKey() {
		t.Errorf("without a key: %+v, %v", r, err)
	}
	var sizes []uint64
	if r, err := audit.Log(audit.Config{Progress: func(size uint64) { sizes = append(sizes, size) }},
		all(w.sealed)); err != nil || r.DataChecked || r.Payloads != 0 || len(sizes) != len(w.sealed) ||
		!slices.IsSorted(sizes) {
		t.Errorf("without payloads: %+v, %v, %v", r, err, sizes)
	}
	_, err = w.audit(w.sealed, w.payloads, signer(2).VerifierKey())
	if index, what := first(t, err); index != 0 || what != "signature" {
		t.Errorf("another key: %v", err)
	}
	broken := errors.New("broken")
	var trouble iter.Seq2[entry.Message, error] = func(yield func(entry.Message, error) bool) {
		_ = yield(w.sealed[0], nil) && yield(entry.Message{}, broken)
	}
	if r, err := audit.Log(audit.Config{}, trouble); !errors.Is(err, broken) || r.Size != 1 {
		t.Errorf("a broken store: %+v, %v", r, err)
	}
	if _, err := audit.Log(audit.Config{Payloads: func(uint64) ([]byte, bool, error) { return nil, false, broken }},
		all(w.sealed)); !errors.Is(err, broken) {
		t.Errorf("broken payloads: %v", err)
	}
}

// TestAuditOfAnEmptyLog: nothing is nothing, unless something was seen.
func TestAuditOfAnEmptyLog(t *testing.T) {
	if r, err := audit.Log(audit.Config{}, all(nil)); err != nil || r.Size != 0 || r.Root != merkle.EmptyRoot {
		t.Errorf("%+v, %v", r, err)
	}
	_, err := audit.Log(audit.Config{Known: []proof.Checkpoint{{Size: 3}}}, all(nil))
	if _, what := first(t, err); what != "cut" {
		t.Error(err)
	}
}

// TestKnownCheckpoints: a log that was cut or written anew is caught by what was seen of it, at any
// size, between batches too.
func TestKnownCheckpoints(t *testing.T) {
	w := generated(t, 2, 50)
	var f merkle.Frontier
	var known []proof.Checkpoint
	for i := range w.entries {
		known = append(known, proof.Checkpoint{Size: f.Size(), Root: f.Root()})
		f.Append(entry.LeafHash(w.entries[i].Leaf))
	}
	known = append(known, proof.Checkpoint{Size: f.Size(), Root: f.Root()})
	slices.Reverse(known) // in any order
	if _, err := audit.Log(audit.Config{Known: known}, all(w.sealed)); err != nil {
		t.Error(err)
	}
	for _, size := range []uint64{1, 2, 17, f.Size()} {
		_, err := audit.Log(audit.Config{Known: []proof.Checkpoint{{Size: size, Root: entry.Hash{1}}}}, all(w.sealed))
		if index, what := first(t, err); index != size-1 || what != "root" {
			t.Errorf("another root of size %d: %v", size, err)
		}
	}
	cut := w.sealed[:len(w.sealed)-1]
	_, err := audit.Log(audit.Config{Known: known}, all(cut))
	if _, what := first(t, err); what != "cut" {
		t.Errorf("cut: %v", err)
	}
	if _, err := audit.Log(audit.Config{}, all(cut)); err != nil {
		t.Errorf("a shorter log is a log, for those who have seen no more: %v", err)
	}
}

// TestForgedCheckpoint: a checkpoint that no key of the log has signed accuses no entry, whatever
// it says; one that is signed comes before a fault behind it.
func TestForgedCheckpoint(t *testing.T) {
	w, stranger := generated(t, 3, 50), signer(9)
	size := uint64(len(w.entries))
	signed := func(s *proof.Signer, size uint64) proof.Checkpoint {
		note, err := s.Sign(size, entry.Hash{1})
		if err != nil {
			t.Fatal(err)
		}
		c, err := proof.ParseCheckpointUnverified(note)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	cut := slices.Clone(w.sealed[:len(w.sealed)-1])
	cut[len(cut)-1].Data = bytes.Replace(cut[len(cut)-1].Data, []byte(`"index":`), []byte(`"indax":`), 1)
	for _, c := range []struct {
		name   string
		sealed []entry.Message
		keys   []string
		known  []proof.Checkpoint
		index  uint64
		what   string
	}{
		{"forged, of its size", w.sealed, []string{w.signer.VerifierKey()}, []proof.Checkpoint{signed(stranger, size)}, 0, "signature"},
		{"forged, shorter", w.sealed, []string{w.signer.VerifierKey()}, []proof.Checkpoint{signed(stranger, 5)}, 0, "signature"},
		{"forged, longer", w.sealed, []string{w.signer.VerifierKey()}, []proof.Checkpoint{signed(stranger, size+9)}, 0, "signature"},
		{"forged, without a key", w.sealed, nil, []proof.Checkpoint{signed(stranger, 5)}, 0, "signature"},
		{"forged beside one that contradicts", w.sealed, nil, []proof.Checkpoint{signed(w.signer, 5), signed(stranger, size)}, 0, "signature"},
		{"signed, shorter", w.sealed, nil, []proof.Checkpoint{signed(w.signer, 5)}, 4, "root"},
		{"signed, longer", w.sealed, nil, []proof.Checkpoint{signed(w.signer, size+9)}, size, "cut"},
		{"signed, shorter, and the log altered behind it", cut, nil, []proof.Checkpoint{signed(w.signer, 5)}, 4, "root"},
	} {
		_, err := audit.Log(audit.Config{Keys: c.keys, Known: c.known}, all(c.sealed))
		if index, what := first(t, err); index != c.index || what != audit.Check(c.what) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := audit.Log(audit.Config{Known: []proof.Checkpoint{signed(stranger, 5)}}, all(cut))
	if index, what := first(t, err); index < 5 || what != "leaf" {
		t.Errorf("forged, and the log altered: %v", err)
	}
}

// TestAuditOfData: what is missing must be erased, what is there must open.
func TestAuditOfData(t *testing.T) {
	w := newWriter(t)
	withData := func(seq, position uint64, data string) {
		ev := entry.Event{ID: data, Source: "s", Type: "x.y"}
		if err := ev.SetJSON([]byte(`"` + data + `"`)); err != nil {
			t.Fatal(err)
		}
		if err := ev.Check(); err != nil {
			t.Fatal(err)
		}
		w.event(seq, position, ev)
	}
	withData(2, 0, "a")
	w.plain(2, 1)
	withData(2, 2, "b")
	w.cut(2, sealedlog.PlaceEnd) // indexes 1 to 3, payload message 1
	w.plain(3, 0)
	w.cut(3, sealedlog.PlaceEnd)
	withData(4, 0, "c")
	w.cut(4, sealedlog.PlaceEnd) // index 5, payload message 2
	w.own(5, 0, entry.TypeErasure, &entry.Erasure{Indexes: []uint64{3, 5}, Reason: "r", Authority: "a"})
	w.add(draft.Rejected(w.source(6, 0), errors.New("x"), bytes.Repeat([]byte("x"), 5000), "s"))
	w.cut(6, sealedlog.PlaceEnd) // index 7, payload message 3
	lines := bytes.SplitAfter(w.payloads[0], []byte("\n"))
	for _, c := range []struct {
		name   string
		change func(p [][]byte)
		index  uint64
		what   string
		erased uint64
	}{
		{"all there", func([][]byte) {}, 0, "", 0},
		{"one erased", func(p [][]byte) { p[0] = lines[0] }, 0, "", 1},
		{"a whole message erased", func(p [][]byte) { p[1] = nil }, 0, "", 1},
		{"a whole message erased, rewritten as nothing", func(p [][]byte) { p[1] = []byte{} }, 0, "", 1},
		{"both erased", func(p [][]byte) { p[0], p[1] = lines[0], nil }, 0, "", 2},
		{"one missing that no erasure names", func(p [][]byte) { p[0] = lines[1] }, 1, "payload", 0},
		{"a message missing that no erasure names", func(p [][]byte) { p[0] = nil }, 1, "payload", 0},
		{"the rejected bytes missing", func(p [][]byte) { p[2] = nil }, 7, "payload", 0},
		{"two records swapped", func(p [][]byte) { p[0] = append(bytes.Clone(lines[1]), lines[0]...) }, 1, "payload", 0},
		{"a record twice", func(p [][]byte) { p[0] = append(bytes.Clone(lines[0]), p[0]...) }, 1, "payload", 0},
		{"a record of another entry", func(p [][]byte) { p[1] = p[2] }, 5, "payload", 0},
		{"other data", func(p [][]byte) { p[1] = bytes.Replace(p[1], []byte(`\"c\"`), []byte(`\"d\"`), 1) }, 5, "payload", 0},
		{"no record", func(p [][]byte) { p[1] = []byte("x\n") }, 5, "payload", 0},
		{"a line that does not end", func(p [][]byte) { p[1] = bytes.TrimSuffix(p[1], []byte("\n")) }, 5, "payload", 0},
	} {
		payloads := slices.Clone(w.payloads)
		c.change(payloads)
		r, err := w.audit(w.sealed, payloads, w.signer.VerifierKey())
		if c.what == "" {
			if err != nil || r.Erased != c.erased || r.Payloads+r.Erased != 4 {
				t.Errorf("%s: %+v, %v", c.name, r, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: %+v", c.name, r)
			continue
		}
		if index, what := first(t, err); index != c.index || what != audit.Check(c.what) {
			t.Errorf("%s: %v, want %s at %d", c.name, err, c.what, c.index)
		}
	}
}

// TestAuditOfNamedPayloads: a batch names a new PAYLOADS message if and only if it has data.
func TestAuditOfNamedPayloads(t *testing.T) {
	for _, c := range []struct {
		data   bool
		change int
	}{{true, -1}, {false, +1}} {
		w := newWriter(t)
		ev := entry.Event{ID: "1", Source: "s", Type: "x.y", EventType: "x.y"}
		if c.data {
			if err := ev.SetJSON([]byte("1")); err != nil {
				t.Fatal(err)
			}
		}
		w.event(2, 0, ev)
		b := w.batch(2, sealedlog.PlaceEnd)
		b.Payloads = uint64(int(b.Payloads) + c.change)
		w.commit(b)
		r, err := w.audit(w.sealed, w.payloads)
		if err == nil {
			t.Fatalf("%+v: %+v", c, r)
		}
		if index, what := first(t, err); index != 1 || what != "payload" {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestRejectedDigest: of rejected bytes that were kept whole, the digest must open with them.
func TestRejectedDigest(t *testing.T) {
	for _, c := range []struct {
		size int
		lie  func(r *entry.Rejected)
	}{
		{100, func(r *entry.Rejected) { r.Digest = entry.Hash{}.String() }}, {100, func(r *entry.Rejected) { r.Size = 99 }}, {100, func(r *entry.Rejected) { r.Size = 5000 }}, {5000, func(r *entry.Rejected) { r.Size = 4000 }},
		{5000, func(r *entry.Rejected) { r.Size = 4096 }},
	} {
		w := newWriter(t)
		d := draft.Rejected(w.source(2, 0), errors.New("x"), bytes.Repeat([]byte("x"), c.size), "s")
		c.lie(d.Detail().(*entry.Rejected))
		w.add(d)
		w.cut(2, sealedlog.PlaceEnd)
		r, err := w.audit(w.sealed, w.payloads)
		if err == nil {
			t.Errorf("size %d: %+v", c.size, r)
			continue
		}
		if index, what := first(t, err); index != 1 || what != "digest" {
			t.Errorf("size %d: %v", c.size, err)
		}
	}
}
