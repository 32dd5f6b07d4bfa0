package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/internal/durable"
	"github.com/sealstream/sealstream/pkg/proof"
)

// head is what the client knows of the log: its keys, and the newest checkpoint that it has verified. Every other
// checkpoint must be consistent with that one, so a server cannot show this client two logs.
type head struct {
	api    *api
	base   string
	path   string
	pinned bool

	// rollBackAfter is how long a server may know less than this client has seen, as after its restart, before that counts as a
	// rolled back log.
	rollBackAfter time.Duration

	mu     sync.Mutex // held while the server is asked: checkpoints are compared one after the other
	vkeys  []string
	newest proof.Checkpoint      // Size 0: none
	seen   map[uint64]entry.Hash // roots of sizes that are known to be consistent with newest
}

// state is the file's content.
type state struct {
	Keys       []string `json:"keys"`
	Checkpoint string   `json:"checkpoint,omitempty"`
}

func openHead(cfg Config, a *api) (*head, error) {
	h := &head{api: a, base: strings.TrimRight(cfg.Server, "/"), path: cfg.State, seen: map[uint64]entry.Hash{}, rollBackAfter: 10 * time.Second}
	if key := strings.TrimSpace(cfg.Key); key != "" {
		h.vkeys, h.pinned = []string{key}, true
		if _, err := proof.OpenCheckpoint([]byte("\n\n"), key); errors.Is(err, proof.ErrCheckpoint) && strings.Contains(err.Error(), "verifier key") {
			return nil, fmt.Errorf("key: %w", err)
		}
	}
	if h.path == "" {
		return h, nil
	}
	raw, err := os.ReadFile(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	} else if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	var s state
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("state %s: %w", h.path, err)
	}
	if !h.pinned {
		h.vkeys = s.Keys
	}
	if s.Checkpoint != "" {
		if h.newest, err = proof.OpenCheckpoint([]byte(s.Checkpoint), h.vkeys...); err != nil {
			return nil, fmt.Errorf("state %s: %w: %w", h.path, ErrFork, err)
		}
	}
	return h, nil
}

// keys are the pinned key, or those that the server names at first use.
func (h *head) keys(ctx context.Context) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.vkeys) > 0 {
		return h.vkeys, nil
	}
	raw, err := h.api.persist(ctx, http.MethodGet, h.base, "/v1/stats", nil, "", nil)
	if err != nil {
		return nil, err
	}
	var stats struct{ Keys []string }
	if err := json.Unmarshal(raw, &stats); err != nil || len(stats.Keys) == 0 {
		return nil, fmt.Errorf("%w: the server names no key of the log, and none was given", ErrProof)
	}
	h.vkeys = stats.Keys
	return h.vkeys, nil
}

// see takes a checkpoint whose signature is verified already: it must be one log with all that were seen before.
func (h *head) see(ctx context.Context, cp proof.Checkpoint) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if root, ok := h.seen[cp.Size]; ok && root == cp.Root && cp.Origin == h.newest.Origin {
		return nil
	}
	switch {
	case h.newest.Size == 0: // the first one
	case cp.Origin != h.newest.Origin:
		return fmt.Errorf("%w: it is %.80q, and was %.80q", ErrFork, cp.Origin, h.newest.Origin)
	case cp.Size < h.newest.Size:
		if err := h.consistent(ctx, cp, h.newest); err != nil {
			return err
		}
	default:
		if err := h.consistent(ctx, h.newest, cp); err != nil {
			return err
		}
	}
	if len(h.seen) >= 1024 {
		clear(h.seen)
	}
	h.seen[cp.Size] = cp.Root
	if cp.Size <= h.newest.Size {
		return nil
	}
	h.newest = cp
	return h.save()
}

// consistent asks for the proof that one checkpoint's log is the begin of the other's, and checks it.
func (h *head) consistent(ctx context.Context, from, to proof.Checkpoint) error {
	if from.Size == to.Size {
		return fork(proof.CheckConsistency(from.Size, to.Size, from.Root, to.Root, nil))
	}
	query := url.Values{"from": {strconv.FormatUint(from.Size, 10)}, "to": {strconv.FormatUint(to.Size, 10)}}
	deadline := time.Now().Add(h.rollBackAfter)
	for pause := (backoff{most: soon}); ; {
		raw, err := h.api.persist(ctx, http.MethodGet, h.base, "/v1/consistency", query, "", nil)
		if err == nil {
			return fork(checkConsistency(raw, from, to))
		}
		if !isStatus(err, http.StatusBadRequest) && !isStatus(err, http.StatusNotFound) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: size %d was seen, and the server cannot show it any more: %w", ErrFork, to.Size, err)
		}
		if err := pause.wait(ctx, 0); err != nil {
			return fmt.Errorf("consistency of sizes %d and %d: %w", from.Size, to.Size, err)
		}
	}
}

func checkConsistency(raw []byte, from, to proof.Checkpoint) error {
	var answer struct{ Proof []string }
	if err := json.Unmarshal(raw, &answer); err != nil {
		return err
	}
	hashes := make([]entry.Hash, len(answer.Proof))
	for i, s := range answer.Proof {
		var err error
		if hashes[i], err = entry.ParseHash(s); err != nil {
			return err
		}
	}
	return proof.CheckConsistency(from.Size, to.Size, from.Root, to.Root, hashes)
}

func fork(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFork, err)
	}
	return nil
}

// save writes the state: after a crash there is all of it, or the one before, which is as good but older.
func (h *head) save() error {
	if h.path == "" {
		return nil
	}
	raw, err := json.Marshal(state{Keys: h.vkeys, Checkpoint: string(h.newest.Note)})
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := durable.WriteFile(h.path, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}
