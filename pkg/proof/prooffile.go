package proof

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// EntryProof is the JSON proof of an entry (SPEC 8).
type EntryProof struct {
	Entry       json.RawMessage `json:"entry"`        // the entry as it is shown to people
	Leaf        string          `json:"leaf"`         // bytes of the leaf, which is JSON itself
	LeafIndex   uint64          `json:"leaf_index"`   // index of the leaf
	TreeSize    uint64          `json:"tree_size"`    // size of the checkpoint's tree
	MerkleProof Path            `json:"merkle_proof"` // from the leaf to the root
	MerkleRoot  string          `json:"merkle_root"`  // root of the checkpoint's tree, in hex
	Checkpoint  string          `json:"checkpoint"`   // the signed note
	Verified    bool            `json:"verified"`     // the maker's own claim, which Check ignores
}

var proofMembers = []string{
	"entry",
	"leaf",
	"leaf_index",
	"tree_size",
	"merkle_proof",
	"merkle_root",
	"checkpoint",
	"verified",
}

// ParseEntryProof reads a JSON proof without checking it. Members that SPEC 8 does not name are
// refused. Every error wraps ErrProof and ErrForm.
func ParseEntryProof(raw []byte) (EntryProof, error) {
	if err := canonical.CheckJSON(raw, ruleset.MaxDepth+8); err != nil {
		return EntryProof{}, fmt.Errorf("%w: %w: %w", ErrProof, ErrForm, err)
	}
	var p EntryProof
	var members map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(raw, &p), json.Unmarshal(raw, &members)); err != nil {
		return EntryProof{}, fmt.Errorf("%w: %w: %w", ErrProof, ErrForm, err)
	}
	if err := checkMembers(members, proofMembers, "verified"); err != nil {
		return EntryProof{}, fmt.Errorf("%w: %w: %w", ErrProof, ErrForm, err)
	}
	if _, err := entry.ParseHash(p.MerkleRoot); err != nil ||
		p.LeafIndex > merkle.MaxSize || p.TreeSize > merkle.MaxSize ||
		p.Entry[0] != '{' {
		return EntryProof{}, fmt.Errorf(
			"%w: %w: entry, leaf_index, tree_size or merkle_root is of no such form",
			ErrProof,
			ErrForm,
		)
	}
	return p, nil
}

// Check proves that the leaf is at its index in the log of the given verifier keys, and returns the
// entry of the leaf and the checkpoint. Everything in the proof must agree with the leaf and with
// the checkpoint. At least one key is required. Errors wrap ErrCheckpoint or ErrProof.
func (p EntryProof) Check(vkeys ...string) (entry.Entry, Checkpoint, error) {
	c, err := openFor(p.Checkpoint, vkeys)
	if err != nil {
		return entry.Entry{}, Checkpoint{}, err
	}
	e, err := p.check(c)
	if err != nil {
		return entry.Entry{}, Checkpoint{}, err
	}
	return e, c, nil
}

// check checks the proof under a checkpoint, which is the one that it names.
func (p EntryProof) check(c Checkpoint) (entry.Entry, error) {
	e, err := entry.ParseEntry([]byte(p.Leaf))
	if err != nil {
		return entry.Entry{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if e.Index != p.LeafIndex {
		return entry.Entry{}, fmt.Errorf("%w: the leaf is of index %d, the proof of %d", ErrProof, e.Index, p.LeafIndex)
	}
	if err := CheckInclusion(entry.LeafHash(e.Leaf), p.LeafIndex, c.Size, p.MerkleProof, c.Root); err != nil {
		return entry.Entry{}, err
	}
	if c.Size != p.TreeSize || c.Root.String() != p.MerkleRoot {
		return entry.Entry{}, fmt.Errorf("%w: tree_size and merkle_root are not those of the checkpoint", ErrProof)
	}
	if err := shows(p.Entry, e); err != nil {
		return entry.Entry{}, fmt.Errorf("%w: entry: %w", ErrProof, err)
	}
	return e, nil
}

// shows returns an error unless the shown entry consists of the members of the leaf, its hash and,
// if they are there, data that opens its commitment.
func shows(raw json.RawMessage, e entry.Entry) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	if h := string(members["entry_hash"]); h != `"`+e.EntryHash.String()+`"` {
		return fmt.Errorf("entry_hash is %.80s", h)
	}
	if leaf, ok := members["leaf"]; ok && !sameText(leaf, string(e.Leaf)) {
		return errors.New("the leaf in it is another")
	}
	if err := showsData(members, e); err != nil {
		return err
	}
	for _, name := range append([]string{"entry_hash", "data", "leaf"}, recordMembers...) {
		delete(members, name)
	}
	bare, err := json.Marshal(members)
	if err != nil {
		return err
	}
	if bare, err = canonical.Canonicalize(bare); err != nil {
		return err
	}
	if string(bare) != string(e.Leaf) {
		return fmt.Errorf("its members are not those of the leaf")
	}
	return nil
}

// showsData returns an error if the data that is shown is not what the leaf commits to. It can tell
// only if the raw bytes and the salt are shown too.
func showsData(members map[string]json.RawMessage, e entry.Entry) error {
	payload, err := exportPayload(members, e.Index)
	if err != nil {
		return err
	}
	shown, ok := members["data"]
	switch {
	case payload == nil && ok:
		return errors.New("data is shown without what proves it; ask for raw=1")
	case payload == nil:
		return nil
	case !payload.Opens(e):
		return errors.New("data and salt do not open data_hash, or what is beside them record_hash")
	case ok && members["data_raw"] == nil:
		return errors.New("data is shown of bytes that are no text")
	case ok && !sameText(shown, string(payload.Data)) &&
		!(ruleset.IsJSON(e.Extensions["datacontenttype"]) && sameJSON(shown, payload.Data)):
		return errors.New("data is not what data_raw and the salt prove")
	}
	return nil
}

// sameText reports whether raw is a JSON string with that text.
func sameText(raw json.RawMessage, text string) bool {
	var s string
	return json.Unmarshal(raw, &s) == nil && s == text
}

// sameJSON reports whether two JSON values are the same. White space, the order of members and the
// escapes in strings may differ, because tools change them. Numbers must have the same text.
func sameJSON(a, b []byte) bool {
	var values [2]any
	for i, raw := range [][]byte{a, b} {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if canonical.CheckJSON(raw, ruleset.MaxDepth+8) != nil || d.Decode(&values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// openFor opens the checkpoint of a proof. It comes before any other check of the proof.
func openFor(checkpoint string, vkeys []string) (Checkpoint, error) {
	if len(vkeys) == 0 {
		return Checkpoint{}, fmt.Errorf("%w: no key to check the checkpoint with", ErrCheckpoint)
	}
	return OpenCheckpoint([]byte(checkpoint), vkeys...)
}

// proofHeader is the first line of a proof file.
const proofHeader = "c2sp.org/tlog-proof@v1"

// File is an inclusion proof with its checkpoint in the form c2sp.org/tlog-proof@v1, which other
// tools than sealstream's read too.
type File struct {
	Index      uint64       // index of the leaf
	Hashes     []entry.Hash // the siblings, that of the leaf first
	Checkpoint []byte       // the signed note
}

// FormatFile writes the proof as a proof file, which ParseFile reads.
func (p EntryProof) FormatFile() []byte {
	b := fmt.Appendf(nil, "%s\nindex %d\n", proofHeader, p.LeafIndex)
	for _, s := range p.MerkleProof {
		b = base64.StdEncoding.AppendEncode(b, s.Hash[:])
		b = append(b, '\n')
	}
	return append(append(b, '\n'), p.Checkpoint...)
}

// ParseFile reads a proof file. It accepts an extra line and drops it. Every error wraps ErrProof
// and ErrForm.
func ParseFile(raw []byte) (File, error) {
	head, checkpoint, ok := strings.Cut(string(raw), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || lines[0] != proofHeader {
		return File{}, fmt.Errorf("%w: %w: not a %s", ErrProof, ErrForm, proofHeader)
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || len(lines) > 65 {
		return File{}, fmt.Errorf("%w: %w: not a %s", ErrProof, ErrForm, proofHeader)
	}
	number, ok := strings.CutPrefix(lines[0], "index ")
	index, err := strconv.ParseUint(number, 10, 53)
	if !ok || err != nil || strconv.FormatUint(index, 10) != number {
		return File{}, fmt.Errorf("%w: %w: %.40q is no index line", ErrProof, ErrForm, lines[0])
	}
	f := File{Index: index, Checkpoint: []byte(checkpoint)}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != len(entry.Hash{}) {
			return File{}, fmt.Errorf("%w: %w: %.60q is no hash", ErrProof, ErrForm, line)
		}
		f.Hashes = append(f.Hashes, entry.Hash(h))
	}
	return f, nil
}

// Check proves that the leaf is at the file's index in the log of the given verifier keys, and
// returns the checkpoint. At least one key is required. Errors wrap ErrCheckpoint or ErrProof.
func (f File) Check(leaf []byte, vkeys ...string) (Checkpoint, error) {
	c, err := openFor(string(f.Checkpoint), vkeys)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := checkRange(f.Index, c.Size); err != nil {
		return Checkpoint{}, err
	}
	p, err := pathOf(f.Index, c.Size, f.Hashes)
	if err != nil {
		return Checkpoint{}, err
	}
	return c, CheckInclusion(entry.LeafHash(leaf), f.Index, c.Size, p, c.Root)
}
