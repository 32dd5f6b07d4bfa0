package sealer

import (
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
)

// snapshot is the head of a copy of the sealer's state after one batch. With its pieces it is all
// that state.step knows of the log's prefix. A start that uses it reads only the batches after it.
//
// A wrong snapshot would hide repeats for ever, so it counts only if all of it has the MACs, and
// only for the prefix that its size and root name (restore.go). It holds nothing but what leaves
// hold, or hashes of that: no data, no salts, and nothing that an erasure would have to remove.
type snapshot struct {
	Origin string     `json:"origin"`
	Rules  uint64     `json:"rules"` // rules of the config
	Size   uint64     `json:"size"`  // size and root of the tree after the batch
	Root   entry.Hash `json:"root"`
	Window uint64     `json:"window"` // size of the window in indexes

	Sealed uint64       `json:"sealed"` // SEALED sequence of the batch
	Batch  entry.Header `json:"batch"`  // what its headers state
	Last   entry.Hash   `json:"last"`   // entry hash of its last leaf
	// the newest leaves, those of a message that is not sealed completely
	Partial [][]byte `json:"partial,omitempty"`

	Config       json.RawMessage `json:"config"` // the newest config
	Created      string          `json:"created,omitempty"`
	CreatedEpoch uint64          `json:"created_epoch,omitempty"`

	Access map[string]uint64 `json:"access,omitempty"` // index of the newest access entry by role
	Bare   uint64            `json:"bare"`             // index after the newest entry without a blind

	Pieces []piece `json:"pieces"` // ascending, without gaps, up to size
}

// snapshotFormat is the first line of a head. A release that computes another window of the same
// leaves must count it up.
const snapshotFormat = "sealstream snapshot 2\n"

// errSnapshot is wrapped with the reason why a snapshot is not used.
var errSnapshot = errors.New("snapshot")

// format returns the text of the head, with its MAC.
func (h *snapshot) format(key snapshotKey) ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	text := append(append([]byte(snapshotFormat), b...), '\n')
	mac := key.headMAC(text)
	return append(hex.AppendEncode(text, mac[:]), '\n'), nil
}

// parseSnapshot reads a head that format made with the same key.
func parseSnapshot(text []byte, key snapshotKey) (*snapshot, error) {
	body, ok := bytes.CutPrefix(text, []byte(snapshotFormat))
	if !ok {
		return nil, fmt.Errorf("%w: another format", errSnapshot)
	}
	size := len(text) - hex.EncodedLen(len(entry.Hash{})) - 1
	if size < len(snapshotFormat) {
		return nil, fmt.Errorf("%w: cut", errSnapshot)
	}
	mac := key.headMAC(text[:size])
	if !hmac.Equal(append(hex.AppendEncode(nil, mac[:]), '\n'), text[size:]) {
		return nil, fmt.Errorf("%w: the MAC of its head is not this log's", errSnapshot)
	}
	h := &snapshot{}
	if err := json.Unmarshal(body[:size-len(snapshotFormat)], h); err != nil {
		return nil, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	return h, nil
}

// batchFields returns what the headers of a batch state, without the number of its leaves, which
// follows from the rest.
func batchFields(b sealedlog.Batch) entry.Header {
	b.Leaves = nil
	h, _ := b.Format()
	maps.DeleteFunc(h, func(name string, _ []string) bool { return name == "Sealstream-Count" })
	return h
}

// describes reports whether b is the batch of the snapshot, in all that its headers state.
func (h *snapshot) describes(b sealedlog.Batch) bool {
	return b.Size == h.Size && b.Root == h.Root && len(b.Leaves) > 0 &&
		maps.EqualFunc(batchFields(b), h.Batch, slices.Equal) && entry.LeafHash(b.Leaves[len(b.Leaves)-1]) == h.Last
}

// config parses the config of the snapshot.
func (h *snapshot) config() (*entry.Config, error) {
	_, d, err := entry.Message{Data: inbox.FormatControl("config", h.Origin, entry.TypeConfig, h.Config)}.Control()
	c, ok := d.(*entry.Config)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w: its config cannot be read: %w", errSnapshot, err)
	}
	if c.Rules != h.Rules {
		return nil, fmt.Errorf("%w: of rules %d, but its config names rules %d", errSnapshot, h.Rules, c.Rules)
	}
	return c, nil
}
