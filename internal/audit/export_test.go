package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// exportOf is the lines of the export of a whole log.
func exportOf(t testing.TB, w *writer) (lines [][]byte) {
	t.Helper()
	var leaves []entry.Hash
	for _, e := range w.entries {
		leaves = append(leaves, e.EntryHash)
	}
	_, tree := treeOf(leaves)
	note, err := w.signer.Sign(tree.Size(), tree.Root())
	if err != nil {
		t.Fatal(err)
	}
	first, last := uint64(0), tree.Size()-1
	manifest, err := json.Marshal(proof.Manifest{
		Export: 1, Log: w.entries[0].Log, Origin: w.signer.Origin(), Count: tree.Size(), First: &first, Last: &last,
		Size: tree.Size(), Root: tree.Root().String(), Checkpoint: string(note), Filters: map[string][]string{},
	})
	if err != nil {
		t.Fatal(err)
	}
	records, err := sealedlog.ParsePayloads(bytes.Join(w.payloads, nil))
	if err != nil {
		t.Fatal(err)
	}
	lines = append(lines, manifest)
	for _, e := range w.entries {
		l := proof.ExportLine{Leaf: e.Leaf}
		if len(records) > 0 && records[0].Index == e.Index {
			l.Payload, records = &records[0], records[1:]
		}
		line, err := l.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// TestExportErrorsInOrder: what is wrong with a line is found before the error that ended the lines
// behind it, and that error before what is missing.
func TestExportErrorsInOrder(t *testing.T) {
	w := generated(t, 2, 200)
	cfg, lines := audit.Config{Keys: []string{w.signer.VerifierKey()}}, exportOf(t, w)
	cut := errors.New("the connection broke")
	read := func(lines [][]byte, end error) error {
		room := make([]byte, 0, 1<<20) // as of a reader that uses its memory again
		_, err := audit.Export(cfg, func(yield func([]byte, error) bool) {
			for _, line := range lines {
				if !yield(append(room[:0], line...), nil) {
					return
				}
			}
			if end != nil {
				yield(nil, end)
			}
		})
		return err
	}
	if err := read(lines, nil); err != nil {
		t.Fatal(err)
	}
	if err := read(lines[:100], cut); err != cut {
		t.Errorf("an export that broke off: %v", err)
	}
	if m, ok := errors.AsType[*audit.MismatchError](read(lines[:100], nil)); !ok || m.What != audit.CheckCut {
		t.Errorf("an export that is too short: %v", m)
	}
	for _, at := range []int{1, 50, 99} {
		changed := slices.Clone(lines)
		changed[at] = bytes.Replace(changed[at], []byte(`\"default\"`), []byte(`\"another\"`), 1)
		m, ok := errors.AsType[*audit.MismatchError](read(changed[:100], cut))
		if !ok || m.What != audit.CheckLog || m.Index+1 != uint64(at) {
			t.Errorf("line %d was changed: %v", at, m)
		}
	}
}
