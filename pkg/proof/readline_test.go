package proof

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
)

// leafText is the canonical leaf of an entry with data, or without.
func leafText(hash string) string {
	return `{"agent_did":"did:web:a","cloudevent_type":"x","data_hash":"` + hash + `","entry_id":"e-\"1\"",` +
		`"event_type":"x","index":7,"input_epoch":1,"input_seq":9,"log":"default","position":0,"previous_hash":"` +
		strings.Repeat("ab", 32) + `","received_at":"2024-05-15T12:00:00.000000000Z",` +
		`"timestamp":"2024-05-15T12:00:00Z","v":1}`
}

// TestReadLine compares the fast reader of export lines with the general one, on lines of each form
// and on all that one changed, missing or doubled byte makes of them. What the fast one takes, the
// general one must take as the same.
func TestReadLine(t *testing.T) {
	payload := &entry.Payload{Index: 7, Salt: [32]byte{1, 2, 3}, Data: []byte("{\"a\":\"\\\"\u00e9\\n\"}\n\t")}
	leaf := []byte(leafText(entry.DataHash(payload.Salt, payload.Data).String()))
	if _, err := entry.ParseEntry(leaf); err != nil {
		t.Fatal(err)
	}
	taken := 0
	compare := func(line []byte) {
		var l ExportLine
		var e entry.Entry
		if !l.read(line, &e, (*entry.Entry).Parse) {
			return
		}
		taken++
		want, wantEntry, more, err := parseLine(line)
		if err != nil || len(more) > 0 || !reflect.DeepEqual(l, want) || !reflect.DeepEqual(e, wantEntry) {
			t.Fatalf("%q: %+v, but in general %v, %+v and %v", line, l, err, want, more)
		}
	}
	for _, c := range []struct {
		line ExportLine
		fast bool
	}{
		{ExportLine{Leaf: leaf}, true},
		{ExportLine{Leaf: leaf, Payload: payload}, true},
		{ExportLine{Leaf: leaf, Payload: &entry.Payload{Index: 7, Data: []byte{}}}, true},
		{ExportLine{Leaf: leaf, Payload: &entry.Payload{Index: 7, Data: []byte{0xff, 0}}}, false},
		{ExportLine{Leaf: leaf, DataError: "lost"}, false},
		{ExportLine{Leaf: leaf, Payload: payload, Path: Path{}}, false},
	} {
		line, err := c.line.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var l ExportLine
		if ok := l.read(line, new(entry.Entry), (*entry.Entry).Check); ok != c.fast || ok && !reflect.DeepEqual(l, c.line) {
			t.Errorf("%s: fast %t", line, ok)
		}
		if _, _, err := ParseExportLine(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		for i := range line {
			for _, b := range []byte("\x00\n\" \\,:{}e0A\x80\xff") {
				changed := bytes.Clone(line)
				changed[i] = b
				compare(changed)
			}
			compare(append(bytes.Clone(line[:i]), line[i+1:]...))
			compare(append(bytes.Clone(line[:i+1]), line[i:]...))
		}
	}
	if taken == 0 {
		t.Error("the fast reader took nothing")
	}
}
