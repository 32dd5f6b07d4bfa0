package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Manifest is the first line of an export (SPEC 9).
type Manifest struct {
	Export     int                 `json:"sealstream_export"` // version of the format, 1
	Log        string              `json:"log"`               // name of the log
	Origin     string              `json:"origin"`            // origin of the log
	Count      uint64              `json:"count"`             // number of entries in the export
	First      *uint64             `json:"first,omitempty"`   // index of the first entry; nil if Count is 0
	Last       *uint64             `json:"last,omitempty"`    // index of the last entry; nil if Count is 0
	Size       uint64              `json:"size"`              // size of the checkpoint's tree
	Root       string              `json:"root"`              // root of that tree, in hex
	Checkpoint string              `json:"checkpoint"`        // the signed note
	Filters    map[string][]string `json:"filters"`           // filters of the entries; empty for a whole log
}

// Whole reports whether the export holds every entry of its tree.
func (m Manifest) Whole() bool { return len(m.Filters) == 0 }

// ErrExport is wrapped by the errors of a text that is no export, or an incomplete one.
var ErrExport = errors.New("not an export")

var manifestMembers = []string{
	"sealstream_export",
	"log",
	"origin",
	"count",
	"first",
	"last",
	"size",
	"root",
	"checkpoint",
	"filters",
}

// ParseManifest reads the first line of an export. It does not verify the checkpoint. Every error
// wraps ErrExport.
func ParseManifest(line []byte) (Manifest, error) {
	if err := canonical.CheckJSON(line, 8); err != nil {
		return Manifest{}, fmt.Errorf("%w: manifest: %w", ErrExport, err)
	}
	var m Manifest
	var members map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(line, &m), json.Unmarshal(line, &members)); err != nil {
		return Manifest{}, fmt.Errorf("%w: manifest: %w", ErrExport, err)
	}
	if err := checkMembers(members, manifestMembers, "first", "last"); err != nil {
		return Manifest{}, fmt.Errorf("%w: manifest: %w", ErrExport, err)
	}
	if m.Export != 1 || !ruleset.ValidLog(m.Log) || !areTexts(members["filters"]) ||
		(m.Count == 0) != (m.First == nil) || (m.First == nil) != (m.Last == nil) ||
		max(m.Count, m.Size) > merkle.MaxSize ||
		m.Last != nil && max(*m.First, *m.Last) > merkle.MaxSize {
		return Manifest{}, fmt.Errorf("%w: the first line is no manifest of version 1", ErrExport)
	}
	return m, nil
}

// checkMembers checks that an object has all of these members except the optional ones, that none
// is null, and that it has no other.
func checkMembers(have map[string]json.RawMessage, all []string, optional ...string) error {
	for name, value := range have { // encoding/json takes a name in any case of letters, and a null for any value
		if !slices.Contains(all, name) {
			return fmt.Errorf("unknown member %.40q", name)
		}
		if string(value) == "null" {
			return fmt.Errorf("member %q is null", name)
		}
	}
	for _, name := range all {
		if have[name] == nil && !slices.Contains(optional, name) {
			return fmt.Errorf("member %q is missing", name)
		}
	}
	return nil
}

// areTexts reports whether the values of a JSON object are arrays of strings.
func areTexts(raw json.RawMessage) bool {
	var lists map[string][]*string
	if err := json.Unmarshal(raw, &lists); err != nil {
		return false
	}
	for _, list := range lists {
		if list == nil || slices.Contains(list, nil) {
			return false
		}
	}
	return true
}

// ExportLine is one entry of an export (SPEC 9).
type ExportLine struct {
	Leaf      []byte         // bytes of the leaf
	Payload   *entry.Payload // data and salt; nil if there are none, they were erased, or see DataError
	Path      Path           // from the leaf to the root; nil in the export of a whole log
	DataError string         // why the exporter could not read the data; empty if it could
}

// Append appends the line to dst, without a line feed.
func (l ExportLine) Append(dst []byte) ([]byte, error) {
	dst = canonical.AppendString(append(dst, `{"leaf":`...), string(l.Leaf))
	if l.Payload != nil {
		dst = l.Payload.AppendMembers(append(dst, ','))
	}
	if l.DataError != "" {
		dst = canonical.AppendString(append(dst, `,"data_error":`...), l.DataError)
	}
	if l.Path != nil {
		p, err := l.Path.MarshalJSON()
		if err != nil {
			return nil, err
		}
		dst = append(append(dst, `,"merkle_proof":`...), p...)
	}
	return append(dst, '}'), nil
}

// ParseExportLine reads a line of an export and parses its leaf. It verifies neither path nor
// payload.
func ParseExportLine[Text []byte | string](line Text) (l ExportLine, e entry.Entry, err error) {
	err = l.Parse([]byte(line), &e)
	return l, e, err
}

// Parse is ParseExportLine into l and e. It reuses the memory of l.Payload, and puts the leaf
// behind l.Leaf where that has room. So one l can read many lines, whose entries stay as they are.
func (l *ExportLine) Parse(line []byte, e *entry.Entry) error {
	return l.parse(line, e, (*entry.Entry).Parse)
}

// Check is Parse for those who verify a line and do not show its entry, which is read by
// entry.Entry.Check.
func (l *ExportLine) Check(line []byte, e *entry.Entry) error {
	return l.parse(line, e, (*entry.Entry).Check)
}

// parseLeaf is a method of entry.Entry that reads a leaf.
type parseLeaf func(e *entry.Entry, leaf []byte) error

func (l *ExportLine) parse(line []byte, e *entry.Entry, parse parseLeaf) error {
	if l.read(line, e, parse) {
		return nil
	}
	var more map[string]json.RawMessage
	var err error
	if *l, *e, more, err = parseLine(line); err != nil {
		return err
	}
	if p, ok := more["merkle_proof"]; ok {
		if err := l.Path.UnmarshalJSON(p); err != nil {
			return err
		}
	}
	return checkMembers(more, []string{"merkle_proof"}, "merkle_proof")
}

// read reads a line of text without a path in one pass, in the form that Append writes. If it
// returns false, the caller must read the line in general.
func (l *ExportLine) read(line []byte, e *entry.Entry, parse parseLeaf) bool {
	r, payload := canonical.NewReader(line), l.Payload
	if !r.Member("leaf") {
		return false
	}
	leaf, _ := r.AppendText(l.Leaf[len(l.Leaf):])
	*l = ExportLine{Leaf: leaf}
	isText := true
	if r.Member("data_raw") {
		if l.Payload = payload; payload == nil {
			l.Payload = new(entry.Payload)
		}
		*l.Payload = entry.Payload{Data: l.Payload.Data[:0]}
		l.Payload.Data, isText = r.AppendText(l.Payload.Data)
		if !r.Member("salt") {
			return false
		}
		l.Payload.Salt = r.Hash()
	}
	if !isText || !r.End() || parse(e, leaf[:len(leaf):len(leaf)]) != nil {
		return false
	}
	if l.Payload != nil {
		l.Payload.Index = e.Index
	}
	return true
}

// parseLine reads the members of a line that tell an entry and its data, and returns the others.
func parseLine(line []byte) (l ExportLine, e entry.Entry, more map[string]json.RawMessage, err error) {
	if err := canonical.CheckJSON(line, 8); err != nil {
		return l, e, nil, err
	}
	if err := json.Unmarshal(line, &more); err != nil {
		return l, e, nil, err
	}
	var leaf string
	if err := json.Unmarshal(more["leaf"], &leaf); err != nil {
		return l, e, nil, fmt.Errorf("leaf: %w", err)
	}
	l.Leaf = []byte(leaf)
	if e, err = entry.ParseEntry(l.Leaf); err != nil {
		return l, e, nil, err
	}
	if l.Payload, err = exportPayload(more, e.Index); err != nil {
		return l, e, nil, err
	}
	if why, ok := more["data_error"]; ok {
		if err := json.Unmarshal(why, &l.DataError); err != nil || l.DataError == "" || l.Payload != nil {
			return l, e, nil, errors.New("data_error is a text that stands in place of the data")
		}
	}
	for _, name := range append([]string{"leaf", "data_error"}, recordMembers...) {
		delete(more, name)
	}
	return l, e, more, nil
}

// recordMembers are the members of a payload record that lines and proofs show (SPEC 9).
var recordMembers = []string{"action_salt", "data_raw", "data_base64", "dssematerial", "salt"}

func exportPayload(raw map[string]json.RawMessage, index uint64) (*entry.Payload, error) {
	p, others := &entry.Payload{Index: index}, 0
	for _, name := range recordMembers {
		if value, ok := raw[name]; ok && name != "salt" {
			others++
			if err := p.Member(name, value); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	_, isText := raw["data_raw"]
	_, isBinary := raw["data_base64"]
	salt, ok := raw["salt"]
	switch {
	case !ok && others == 0:
		return nil, nil
	case !ok || others == 0 || isText && isBinary:
		return nil, errors.New("salt belongs to one of data_raw and data_base64, or to what is beside them")
	}
	var s string
	err := json.Unmarshal(salt, &s)
	if err == nil {
		p.Salt, err = entry.ParseHash(s)
	}
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	return p, nil
}
