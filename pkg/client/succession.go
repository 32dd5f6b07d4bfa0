package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// maxBatch is the most entries of a batch: a checkpoint covers each entry after so many at most.
const maxBatch = 256

// signed calls check with the trusted keys. If none of them has signed, it looks whether the log
// has announced others under one of them (SPEC 8), and then calls check again.
func (c *Client) signed(ctx context.Context, keys *proof.Verifier, check func(*proof.Verifier) error) error {
	err := check(keys)
	if !errors.Is(err, proof.ErrNotSigned) {
		return err
	}
	if newer := c.head.successors(ctx, keys); newer != nil {
		return check(newer)
	}
	return err
}

// errNewer says that an export is signed by keys that were not known before.
var errNewer = errors.New("the keys of the export were not known before")

// newer returns further keys that the log has announced, if an export needs them, or nil.
func (c *Client) newer(ctx context.Context, keys *proof.Verifier, m proof.Manifest) *proof.Verifier {
	if _, _, err := keys.Open([]byte(m.Checkpoint)); !errors.Is(err, proof.ErrNotSigned) {
		return nil
	}
	return c.head.successors(ctx, keys)
}

// announcement is a config, as the server lists it.
type announcement struct {
	Index  uint64
	Detail struct{ Keys []string }
}

// successors returns the keys with those that the log has announced under them, or nil if it shows
// none. A key that has signed beside a trusted one is learned without this, in succeed.
func (h *head) successors(ctx context.Context, keys *proof.Verifier) *proof.Verifier {
	q := url.Values{"type": {entry.TypeConfig}, "order": {"asc"}, "limit": {"1000"}}
	raw, err := h.api.try(ctx, http.MethodGet, h.base, "/v1/entries", q, "", nil, maxPage)
	var listed struct{ Entries []announcement }
	if err != nil || json.Unmarshal(raw, &listed) != nil {
		return nil
	}
	for _, a := range listed.Entries {
		now := h.verifier()
		known := now.Keys()
		if slices.ContainsFunc(a.Detail.Keys, func(key string) bool { return !slices.Contains(known, key) }) {
			h.follow(ctx, now, a.Index)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ring.verifier == keys {
		return nil
	}
	return h.ring.verifier
}

// follow learns the keys of the config at an index, if the first checkpoint that covers it is
// signed by a trusted key and is of one log with what was seen.
func (h *head) follow(ctx context.Context, keys *proof.Verifier, index uint64) {
	for size := index + 1; size <= index+maxBatch && ctx.Err() == nil; size++ {
		cp, config, err := h.configAt(ctx, keys, index, size)
		switch {
		case isStatus(err, http.StatusNotFound): // no checkpoint is of this size
			continue
		case err == nil:
			err = h.compare(ctx, cp, false)
		}
		if err == nil {
			h.mu.Lock()
			_, err = h.ring.announced(config.Keys, cp.Size, signersOf(cp))
			h.unsaved = h.unsaved || err == nil
			h.mu.Unlock()
		}
		if err != nil {
			h.api.logger.WarnContext(ctx, "sealstream client cannot learn the log's keys", "size", size, "cause", err)
		}
		return
	}
}

// configAt is the config at an index, proven under the checkpoint of a size.
func (h *head) configAt(ctx context.Context, keys *proof.Verifier, index, size uint64) (
	cp proof.Checkpoint,
	config *entry.Config,
	err error,
) {
	path, q := "/v1/entries/"+strconv.FormatUint(index, 10)+"/proof", url.Values{"size": {strconv.FormatUint(size, 10)}}
	raw, err := h.api.try(ctx, http.MethodGet, h.base, path, q, "", nil, maxAnswer)
	if err != nil {
		return cp, nil, err
	}
	p, err := proof.ParseEntryProof(raw)
	if err != nil {
		return cp, nil, err
	}
	e, cp, err := keys.CheckEntry(p)
	if err != nil {
		return cp, nil, err
	}
	config, err = h.configOf(e, cp)
	if err == nil && (e.Index != index || cp.Size != size) {
		err = errors.New("it is another proof than was asked for")
	}
	return cp, config, err
}
