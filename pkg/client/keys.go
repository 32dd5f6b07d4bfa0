package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// keyring is the keys that a checkpoint may be signed with (SPEC 8).
type keyring struct {
	given      []string        // the caller's, the state's, or the server's at first use
	successors []string        // that the log has announced under a trusted key
	verifier   *proof.Verifier // of both; nil: there are none

	// firstUse says who trusted keys that the server named: firstReceipts, firstReading or, if the
	// keys were given, "".
	firstUse string

	// Of checkpoints of more than activeFrom entries, one of active must be a signer: the keys of the
	// newest config that was seen. nil: none was.
	active     []string
	activeFrom uint64

	signers []string // of the checkpoint whose config was seen last; at first, all trusted keys
}

// What keys that the server named are trusted for.
const (
	firstReceipts = "receipts" // but not for reading, which did not ask for it
	firstReading  = "reading"
)

// trust adds keys to those given.
func (r *keyring) trust(keys ...string) error {
	verifier, err := proof.NewVerifier(slices.Concat(r.given, keys, r.successors)...)
	if err != nil {
		return err
	}
	r.given, r.verifier = append(r.given, keys...), verifier
	r.signers = keyIDs(verifier.Keys())
	return nil
}

// inherit takes the successors that an earlier run has learned.
func (r *keyring) inherit(successors []string) error {
	known := r.verifier.Keys()
	for _, key := range successors {
		if !slices.Contains(known, key) {
			r.successors = append(r.successors, key)
		}
	}
	if len(known) == len(r.given)+len(r.successors) {
		return nil
	}
	return r.trust()
}

// announced takes the keys of a config that a checkpoint of this size and these signers covers. It
// reports whether one of them is new.
func (r *keyring) announced(keys []string, size uint64, signers []string) (bool, error) {
	known, added := r.verifier.Keys(), []string(nil)
	for _, key := range keys {
		if !slices.Contains(known, key) {
			added = append(added, key)
		}
	}
	verifier, err := proof.NewVerifier(slices.Concat(known, added)...)
	if err != nil {
		return false, err
	}
	r.verifier, r.successors = verifier, append(r.successors, added...)
	r.active, r.activeFrom, r.signers = keys, size, signers
	return len(added) > 0, nil
}

// replaced reports whether a checkpoint has only signatures of keys that the log has replaced.
func (r *keyring) replaced(cp proof.Checkpoint) bool {
	if r.active == nil || cp.Size <= r.activeFrom {
		return false
	}
	_, by, err := r.verifier.Open(cp.Note)
	return err == nil && !slices.ContainsFunc(by, func(key string) bool { return slices.Contains(r.active, key) })
}

// verifier has the keys that are known so far, or is nil.
func (h *head) verifier() *proof.Verifier {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ring.verifier
}

// keys are those given, or those of the state, or those that the server names at first use. Without
// firstUse the last ones are ErrNoKey, even if receipts took them: who reads did not ask for them.
func (h *head) keys(ctx context.Context, firstUse bool) (*proof.Verifier, error) {
	h.mu.Lock()
	verifier, accepted := h.ring.verifier, firstUse || h.ring.firstUse != firstReceipts
	h.mu.Unlock()
	switch {
	case verifier == nil && !firstUse, !accepted:
		return nil, ErrNoKey
	case verifier != nil:
		return verifier, nil
	}
	raw, err := h.api.persist(ctx, h.base, "/v1/stats", nil)
	if err != nil {
		return nil, err
	}
	var stats struct{ Keys []string }
	if err := json.Unmarshal(raw, &stats); err != nil || len(stats.Keys) == 0 {
		return nil, fmt.Errorf("%w: the server names no key of the log, and none was given", ErrProof)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ring.verifier == nil { // and no other caller was faster
		if err := h.ring.trust(stats.Keys...); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProof, err)
		}
		if h.ring.firstUse = firstReceipts; h.firstUse {
			h.ring.firstUse = firstReading
		}
	}
	return h.ring.verifier, nil
}

// trusted are the keys that reading is verified with.
func (c *Client) trusted(ctx context.Context) (*proof.Verifier, error) {
	return c.head.keys(ctx, c.cfg.TrustFirstUse)
}

// succeed learns which keys may sign after a checkpoint, if it has other signers than the last one:
// a trusted key has signed it, and so it vouches for the config that the log had. That no newer
// config is left out is the server's word. Without one, the trusted keys stay.
func (h *head) succeed(ctx context.Context, cp proof.Checkpoint) {
	signers := signersOf(cp)
	h.mu.Lock()
	ring, old := h.ring, cp.Size < h.newest.Size
	h.mu.Unlock()
	if old || ring.verifier == nil || slices.Equal(signers, ring.signers) {
		return
	}
	keys, err := h.configured(ctx, ring.verifier, cp)
	if err == nil && !slices.ContainsFunc(keyIDs(keys), func(id string) bool { return slices.Contains(signers, id) }) {
		err = fmt.Errorf("%w: the config names no signer of the checkpoint", ErrProof)
	}
	if err == nil {
		h.mu.Lock()
		var added bool
		added, err = h.ring.announced(keys, cp.Size, signers)
		h.unsaved = h.unsaved || added
		h.mu.Unlock()
	}
	if err != nil && ctx.Err() == nil {
		h.api.logger.WarnContext(ctx, "sealstream client cannot learn the log's keys", "size", cp.Size, "cause", err)
	}
}

// configured is the keys of the newest config under a checkpoint.
func (h *head) configured(ctx context.Context, v *proof.Verifier, cp proof.Checkpoint) ([]string, error) {
	f := Filter{Filter: api.Filter{Type: []string{entry.TypeConfig}}}
	q := f.Values()
	for name, value := range map[string]string{
		"proof": "1", "order": "desc", "limit": "1", "size": strconv.FormatUint(cp.Size, 10),
	} {
		q.Set(name, value)
	}
	p, err := h.page(ctx, q)
	if err != nil {
		return nil, err
	}
	entries, under, err := provePage(p, v, h.api.log, &f)
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 || under.Size != cp.Size || under.Root != cp.Root {
		return nil, fmt.Errorf("%w: it is another page than that of size %d", ErrProof, cp.Size)
	}
	config, err := h.configOf(entries[0].Entry, cp)
	if err != nil {
		return nil, err
	}
	return config.Keys, nil
}

// configOf is the config that an entry under a checkpoint holds.
func (h *head) configOf(e entry.Entry, cp proof.Checkpoint) (*entry.Config, error) {
	config, ok := e.Detail.(*entry.Config)
	if !ok || e.Log != h.api.log {
		return nil, fmt.Errorf("%w: index %d is no config of the log", ErrProof, e.Index)
	}
	for _, key := range config.Keys {
		if origin, _, _ := strings.Cut(key, "+"); origin != cp.Origin {
			return nil, fmt.Errorf("%w: a key of %.80q", ErrProof, origin)
		}
	}
	return config, nil
}

func (h *head) page(ctx context.Context, q url.Values) (p page, err error) {
	raw, err := h.api.persistUpTo(ctx, h.base, "/v1/entries", q, maxPage)
	if err == nil {
		p, err = parsePage(raw)
	}
	return p, err
}

// keyIDs are the names and key hashes of verifier keys, in order.
func keyIDs(keys []string) (ids []string) {
	for _, key := range keys {
		if name, rest, ok := strings.Cut(key, "+"); ok {
			hash, _, _ := strings.Cut(rest, "+")
			ids = append(ids, name+"+"+hash)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// signersOf are those of a checkpoint's signatures that are the log's by their name, as keyIDs has
// them. They are not verified.
func signersOf(cp proof.Checkpoint) (ids []string) {
	_, signatures, _ := strings.Cut(string(cp.Note), "\n\n")
	for line := range strings.Lines(signatures) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[1] != cp.Origin {
			continue
		}
		if raw, err := base64.StdEncoding.DecodeString(fields[2]); err == nil && len(raw) > 4 {
			ids = append(ids, fmt.Sprintf("%s+%x", fields[1], raw[:4]))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
