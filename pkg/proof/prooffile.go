package proof

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// EntryProof is the JSON proof of an entry (SPEC 8). Verified is what its maker says; Check does not look at it.
type EntryProof struct {
	Entry       json.RawMessage `json:"entry"`
	Leaf        string          `json:"leaf"`
	LeafIndex   uint64          `json:"leaf_index"`
	TreeSize    uint64          `json:"tree_size"`
	MerkleProof Path            `json:"merkle_proof"`
	MerkleRoot  string          `json:"merkle_root"`
	Checkpoint  string          `json:"checkpoint"`
	Verified    bool            `json:"verified"`
}

// ParseEntryProof reads a JSON proof; it does not check it.
func ParseEntryProof(raw []byte) (EntryProof, error) {
	if err := entry.CheckJSON(raw, entry.MaxDepth+8); err != nil {
		return EntryProof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	var p EntryProof
	if err := json.Unmarshal(raw, &p); err != nil {
		return EntryProof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if p.Leaf == "" || p.MerkleProof == nil || p.Checkpoint == "" {
		return EntryProof{}, fmt.Errorf("%w: leaf, merkle_proof and checkpoint are required", ErrProof)
	}
	return p, nil
}

// Check proves that the leaf stands at its index in the log whose key is given, and returns the entry that the leaf says. Everything in
// the proof must agree with the leaf and with the checkpoint. At least one key is required.
func (p EntryProof) Check(vkeys ...string) (entry.Entry, Checkpoint, error) {
	e, err := entry.ParseEntry([]byte(p.Leaf))
	if err != nil {
		return entry.Entry{}, Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if e.Index != p.LeafIndex {
		return entry.Entry{}, Checkpoint{}, fmt.Errorf("%w: the leaf is of index %d, the proof of %d", ErrProof, e.Index, p.LeafIndex)
	}
	c, err := CheckLeaf(e.Leaf, p.LeafIndex, p.MerkleProof, []byte(p.Checkpoint), vkeys...)
	if err != nil {
		return entry.Entry{}, Checkpoint{}, err
	}
	if c.Size != p.TreeSize || entry.FormatHash(c.Root) != p.MerkleRoot {
		return entry.Entry{}, Checkpoint{}, fmt.Errorf("%w: tree_size and merkle_root are not those of the checkpoint", ErrProof)
	}
	if err := shows(p.Entry, e); err != nil {
		return entry.Entry{}, Checkpoint{}, fmt.Errorf("%w: entry: %w", ErrProof, err)
	}
	return e, c, nil
}

// shows says whether the shown entry is the leaf, its hash, and, if they are there, data that open it.
func shows(raw json.RawMessage, e entry.Entry) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	if h := string(members["entry_hash"]); h != `"`+e.EntryHash+`"` {
		return fmt.Errorf("entry_hash is %.80s", h)
	}
	if leaf, ok := members["leaf"]; ok && !sameText(leaf, string(e.Leaf)) {
		return errors.New("the leaf in it is another")
	}
	if err := showsData(members, e); err != nil {
		return err
	}
	for _, name := range []string{"entry_hash", "data", "data_raw", "data_base64", "salt", "leaf"} {
		delete(members, name)
	}
	bare, err := json.Marshal(members)
	if err != nil {
		return err
	}
	if bare, err = entry.Canonicalize(bare); err != nil {
		return err
	}
	if string(bare) != string(e.Leaf) {
		return fmt.Errorf("its members are not those of the leaf")
	}
	return nil
}

// showsData says whether the data that is shown is what the leaf commits to. It can be known only where the bytes and the salt are there too.
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
		return errors.New("data and salt do not open data_hash")
	case ok && !sameText(shown, string(payload.Data)) && !(entry.IsJSON(e.Extensions["datacontenttype"]) && sameJSON(shown, payload.Data)):
		return errors.New("data is not what data_raw and the salt prove")
	}
	return nil
}

// sameText says whether raw is a JSON string of that text.
func sameText(raw json.RawMessage, text string) bool {
	var s string
	return json.Unmarshal(raw, &s) == nil && s == text
}

// sameJSON compares JSON texts but for the white space between their tokens, which tools change.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// CheckLeaf proves that a leaf stands at index in the log that signed the checkpoint.
func CheckLeaf(leaf []byte, index uint64, p Path, checkpoint []byte, vkeys ...string) (Checkpoint, error) {
	if len(vkeys) == 0 {
		return Checkpoint{}, fmt.Errorf("%w: no key to check the checkpoint with", ErrCheckpoint)
	}
	c, err := OpenCheckpoint(checkpoint, vkeys...)
	if err != nil {
		return Checkpoint{}, err
	}
	return c, CheckInclusion(entry.LeafHash(leaf), index, c.Size, p, c.Root)
}

// proofHeader is the first line of a proof file.
const proofHeader = "c2sp.org/tlog-proof@v1"

// File is a c2sp.org/tlog-proof@v1: an inclusion proof and the checkpoint, for tools that know nothing of sealstream.
type File struct {
	Index      uint64
	Hashes     []entry.Hash // leaf's sibling first
	Checkpoint []byte
}

// FormatFile writes a proof file.
func FormatFile(index uint64, p Path, checkpoint []byte) []byte {
	b := fmt.Appendf(nil, "%s\nindex %d\n", proofHeader, index)
	for _, s := range p {
		b = base64.StdEncoding.AppendEncode(b, s.Hash[:])
		b = append(b, '\n')
	}
	return append(append(b, '\n'), checkpoint...)
}

// ParseFile reads a proof file. An extra line is allowed and not kept.
func ParseFile(raw []byte) (File, error) {
	head, checkpoint, ok := strings.Cut(string(raw), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || lines[0] != proofHeader {
		return File{}, fmt.Errorf("%w: not a %s", ErrProof, proofHeader)
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || len(lines) > 65 {
		return File{}, fmt.Errorf("%w: not a %s", ErrProof, proofHeader)
	}
	number, ok := strings.CutPrefix(lines[0], "index ")
	index, err := strconv.ParseUint(number, 10, 53)
	if !ok || err != nil || strconv.FormatUint(index, 10) != number {
		return File{}, fmt.Errorf("%w: %.40q is no index line", ErrProof, lines[0])
	}
	f := File{Index: index, Checkpoint: []byte(checkpoint)}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != len(entry.Hash{}) {
			return File{}, fmt.Errorf("%w: %.60q is no hash", ErrProof, line)
		}
		f.Hashes = append(f.Hashes, entry.Hash(h))
	}
	return f, nil
}

// Check proves that the leaf stands at the file's index in the log whose key is given.
func (f File) Check(leaf []byte, vkeys ...string) (Checkpoint, error) {
	c, err := ParseCheckpointUnverified(f.Checkpoint)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := checkRange(f.Index, c.Size); err != nil {
		return Checkpoint{}, err
	}
	p, err := PathOf(f.Index, c.Size, f.Hashes)
	if err != nil {
		return Checkpoint{}, err
	}
	return CheckLeaf(leaf, f.Index, p, f.Checkpoint, vkeys...)
}
