package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Manifest is the first line of an export (SPEC 9).
type Manifest struct {
	Export     int                 `json:"sealstream_export"` // 1
	Log        string              `json:"log"`
	Origin     string              `json:"origin"`
	Count      uint64              `json:"count"`
	First      *uint64             `json:"first,omitempty"` // indexes; absent if Count is 0
	Last       *uint64             `json:"last,omitempty"`
	Size       uint64              `json:"size"` // of the tree of the checkpoint
	Root       string              `json:"root"` // hex
	Checkpoint string              `json:"checkpoint"`
	Filters    map[string][]string `json:"filters"` // empty for a whole log
}

// Whole says whether the export holds every entry of its tree.
func (m Manifest) Whole() bool { return len(m.Filters) == 0 }

// ErrExport is wrapped by errors of an export's form: it is none, or was cut off.
var ErrExport = errors.New("not an export")

var manifestMembers = []string{"sealstream_export", "log", "origin", "count", "first", "last", "size", "root", "checkpoint", "filters"}

// ParseManifest reads the first line of an export.
func ParseManifest(line []byte) (Manifest, error) {
	if err := entry.CheckJSON(line, 8); err != nil {
		return Manifest{}, fmt.Errorf("%w: manifest: %w", ErrExport, err)
	}
	var m Manifest
	var members map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(line, &m), json.Unmarshal(line, &members)); err != nil {
		return Manifest{}, fmt.Errorf("%w: manifest: %w", ErrExport, err)
	}
	for name := range members { // which encoding/json takes in any case of letters, and others do not
		if !slices.Contains(manifestMembers, name) {
			return Manifest{}, fmt.Errorf("%w: manifest: unknown member %.40q", ErrExport, name)
		}
	}
	if m.Export != 1 || m.Filters == nil || (m.Count == 0) != (m.First == nil) || (m.First == nil) != (m.Last == nil) {
		return Manifest{}, fmt.Errorf("%w: the first line is no manifest of version 1", ErrExport)
	}
	return m, nil
}

// ExportLine is one entry of an export. Path is nil in a whole one.
type ExportLine struct {
	Leaf    []byte
	Payload *entry.Payload // its Index is that of the leaf; nil if there is none, or it was erased
	Path    Path
}

// Append writes the line, without its line feed.
func (l ExportLine) Append(dst []byte) ([]byte, error) {
	dst = entry.AppendQuoted(append(dst, `{"leaf":`...), string(l.Leaf))
	if l.Payload != nil {
		dst = l.Payload.AppendMembers(append(dst, ','))
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

// ParseExportLine reads a line and its leaf.
func ParseExportLine(line []byte) (ExportLine, entry.Entry, error) {
	if err := entry.CheckJSON(line, 8); err != nil {
		return ExportLine{}, entry.Entry{}, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return ExportLine{}, entry.Entry{}, err
	}
	var l ExportLine
	var leaf string
	if err := json.Unmarshal(raw["leaf"], &leaf); err != nil {
		return ExportLine{}, entry.Entry{}, fmt.Errorf("leaf: %w", err)
	}
	l.Leaf = []byte(leaf)
	e, err := entry.ParseEntry(l.Leaf)
	if err != nil {
		return l, e, err
	}
	if l.Payload, err = exportPayload(raw, e.Index); err != nil {
		return l, e, err
	}
	if p, ok := raw["merkle_proof"]; ok {
		if err := l.Path.UnmarshalJSON(p); err != nil {
			return l, e, err
		}
	}
	for name := range raw {
		switch name {
		case "leaf", "data_raw", "data_base64", "salt", "merkle_proof":
		default:
			return l, e, fmt.Errorf("unknown member %.40q", name)
		}
	}
	return l, e, nil
}

func exportPayload(raw map[string]json.RawMessage, index uint64) (*entry.Payload, error) {
	salt, ok := raw["salt"]
	text, isText := raw["data_raw"]
	binary, isBinary := raw["data_base64"]
	switch {
	case !ok && !isText && !isBinary:
		return nil, nil
	case !ok || isText == isBinary:
		return nil, errors.New("salt and one of data_raw and data_base64 belong together")
	}
	p := &entry.Payload{Index: index}
	var s string
	err := json.Unmarshal(salt, &s)
	if err == nil {
		p.Salt, err = entry.ParseHash(s)
	}
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	if isText {
		p.Data, err = entry.ParsePayloadData("data_raw", text)
	} else {
		p.Data, err = entry.ParsePayloadData("data_base64", binary)
	}
	return p, err
}

// AuditExport checks an export, from its lines in order, the manifest first. A whole export is checked like a log (SPEC 10); in a
// filtered one every entry is proven to be in the tree of the checkpoint, which says nothing of entries that are not in it, and known
// checkpoints are not looked at. Keys are required for a filtered one. Errors are as Audit's.
func AuditExport(cfg AuditConfig, lines iter.Seq2[[]byte, error]) (Report, error) {
	x := &exportAudit{auditor: newAuditor(cfg), walk: newWalk(), keys: cfg.Keys}
	x.out.DataChecked = true
	for line, err := range lines {
		if err == nil && x.manifest == nil {
			err = x.begin(line)
		} else if err == nil {
			err = x.line(line)
		}
		if err != nil {
			return x.report(), err
		}
	}
	err := x.end()
	return x.report(), err
}

// exportAudit is one AuditExport.
type exportAudit struct {
	*auditor
	walk     *walk
	keys     []string
	signing  []string // those of them that the newest config names
	manifest *Manifest
	cp       Checkpoint // opened, of a filtered export; a whole one's is opened at its end
	root     entry.Hash // that the manifest names
	count    uint64     // lines taken
	first    uint64     // index of the first of them
	last     uint64     // and of the last
}

func (x *exportAudit) begin(line []byte) error {
	m, err := ParseManifest(line)
	if err != nil {
		return err
	}
	x.manifest = &m
	if x.root, err = entry.ParseHash(m.Root); err != nil {
		return fmt.Errorf("%w: manifest: root: %w", ErrExport, err)
	}
	if m.Whole() {
		return nil
	}
	x.known = nil // only the whole tree can be compared with other checkpoints
	if len(x.keys) == 0 {
		return fmt.Errorf("%w: a filtered export is checked against the log's key, and none was given", ErrExport)
	}
	return x.openCheckpoint(x.keys)
}

// openCheckpoint opens the manifest's checkpoint. Whatever is wrong with it, no entry is vouched for, not even index 0.
func (x *exportAudit) openCheckpoint(keys []string) (err error) {
	x.cp, err = OpenCheckpoint([]byte(x.manifest.Checkpoint), keys...)
	switch {
	case err != nil:
		return mismatch(0, "signature", "the manifest's checkpoint: %v", err)
	case x.cp.Size != x.manifest.Size || x.cp.Root != x.root || x.cp.Origin != x.manifest.Origin:
		return mismatch(0, "signature", "the manifest's size, root and origin are not those of its checkpoint")
	}
	return nil
}

func (x *exportAudit) line(line []byte) error {
	next := x.walk.frontier.Size()
	if !x.manifest.Whole() {
		next = x.last
	}
	l, e, err := ParseExportLine(line)
	if err != nil {
		if e.Leaf != nil { // the leaf could be read, what stands beside it not
			next = e.Index
		}
		return mismatch(next, "leaf", "%v", err)
	}
	if e.Log != x.manifest.Log {
		return mismatch(e.Index, "log", "a leaf of log %q in an export of log %q", e.Log, x.manifest.Log)
	}
	if x.manifest.Whole() {
		err = x.whole(&e, l)
	} else {
		err = x.filtered(&e, l)
	}
	if err != nil {
		return err
	}
	if x.count == 0 {
		x.first = e.Index
	}
	x.count++
	if err := x.entry(&e); err != nil {
		return err
	}
	if x.cfg.Progress != nil && x.count%256 == 0 {
		x.cfg.Progress(x.count)
	}
	var records []entry.Payload
	if l.Payload != nil {
		records = []entry.Payload{*l.Payload}
	}
	return x.found(checkRecords([]entry.Entry{e}, records))
}

func (x *exportAudit) whole(e *entry.Entry, l ExportLine) error {
	if l.Path != nil {
		return mismatch(e.Index, "leaf", "a merkle_proof in a whole export")
	}
	x.last = e.Index
	return x.walk.entry(e)
}

func (x *exportAudit) filtered(e *entry.Entry, l ExportLine) error {
	if x.count > 0 && e.Index <= x.last {
		return mismatch(e.Index, "index", "after index %d", x.last)
	}
	x.last = e.Index
	if l.Path == nil {
		return mismatch(e.Index, "proof", "no merkle_proof, which a filtered export has for every entry")
	}
	if err := CheckInclusion(entry.LeafHash(e.Leaf), e.Index, x.cp.Size, l.Path, x.cp.Root); err != nil {
		return mismatch(e.Index, "proof", "%v", err)
	}
	return nil
}

func (x *exportAudit) end() error {
	if x.manifest == nil {
		return fmt.Errorf("%w: it is empty", ErrExport)
	}
	m := x.manifest
	if x.count != m.Count || m.Last != nil && (*m.First != x.first || *m.Last != x.last) {
		return mismatch(x.last, "cut", "the manifest says %d entries, here are %d, from %d to %d", m.Count, x.count, x.first, x.last)
	}
	if !m.Whole() {
		x.out.Erased = uint64(len(x.missing)) // the erasure entries need not be among the filtered ones
		return nil
	}
	size := x.walk.frontier.Size()
	if size != m.Size {
		return mismatch(size, "cut", "the checkpoint is of size %d, here are %d entries", m.Size, size)
	}
	if size == 0 {
		return fmt.Errorf("%w: a log has at least its config", ErrExport)
	}
	if x.walk.frontier.Root() != x.root {
		return mismatch(size-1, "root", "the manifest names another than the leaves make")
	}
	if x.walk.origin != m.Origin {
		return mismatch(0, "origin", "the manifest names %.80q, the log %.80q", m.Origin, x.walk.origin)
	}
	if err := x.checkKeys(); err != nil {
		return err
	}
	return x.auditor.end(size)
}

// checkKeys opens a whole export's checkpoint: with those of the caller's keys that the newest config names, or else with that config's. Here a
// succession of keys proves nothing to who knows only an earlier one: the checkpoints that announced it are not in an export.
func (x *exportAudit) checkKeys() error {
	named := x.walk.config.Detail.(*entry.Config).Keys
	keys := named
	if len(x.keys) > 0 {
		keys = slices.DeleteFunc(slices.Clone(x.keys), func(k string) bool { return !slices.Contains(named, k) })
	}
	if len(keys) == 0 {
		return mismatch(0, "signature", "the log's config names none of the given keys")
	}
	if x.signing = keys; len(x.keys) == 0 {
		x.keys = x.walk.named
	}
	return x.openCheckpoint(keys)
}

func (x *exportAudit) report() Report {
	r := x.out
	if x.manifest != nil {
		r.Log, r.Origin, r.Size, r.Root = x.manifest.Log, x.manifest.Origin, x.manifest.Size, x.root
		r.Checkpoint = []byte(x.manifest.Checkpoint)
	}
	r.Named = x.walk.named
	if r.Keys = x.keys; len(x.keys) > 0 {
		r.Key = x.keys[0]
	}
	if len(x.signing) > 0 {
		r.Key = x.signing[0]
	}
	return r
}
