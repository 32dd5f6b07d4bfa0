package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/durable"
	"github.com/sealstream/sealstream/internal/flock"
	"github.com/sealstream/sealstream/pkg/proof"
)

// state is the content of the state's file. Several clients, and processes, may share one.
type state struct {
	Keys       []string `json:"keys"`
	Successors []string `json:"successors,omitempty"` // of Keys, by the log's own word
	FirstUse   string   `json:"first_use,omitempty"`  // as in keyring
	Checkpoint string   `json:"checkpoint,omitempty"`
}

// readState reads the file. Both results are empty if there is none.
func (h *head) readState() (raw []byte, s state, err error) {
	raw, err = os.ReadFile(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s, nil
	}
	if err == nil {
		if err = json.Unmarshal(raw, &s); err != nil {
			err = fmt.Errorf("%s: %w", h.path, err)
		}
	}
	return raw, s, err
}

// resume begins with what an earlier run has left.
func (h *head) resume() error {
	_, s, err := h.readState()
	if err != nil {
		return err
	}
	if !h.pinned && len(s.Keys) > 0 {
		if err := h.ring.trust(s.Keys...); err != nil {
			return fmt.Errorf("%s: %w", h.path, err)
		}
		if h.ring.firstUse = s.FirstUse; h.firstUse && s.FirstUse == firstReceipts {
			h.ring.firstUse, h.unsaved = firstReading, true
		}
	}
	if h.newest, err = h.openState(s); err != nil {
		return fmt.Errorf("%s: %w: %w", h.path, ErrFork, err)
	}
	return nil
}

// openState opens the checkpoint of a state, and takes the successors of a key that this client
// trusts. The key that had signed the checkpoint may have been replaced since: it needs one of the
// state's own keys. Every new checkpoint needs a trusted key, and must be consistent with this one.
func (h *head) openState(s state) (cp proof.Checkpoint, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.ContainsFunc(s.Keys, func(k string) bool { return slices.Contains(h.ring.given, k) }) {
		if err := h.ring.inherit(s.Successors); err != nil {
			return cp, err
		}
	}
	if s.Checkpoint == "" {
		return cp, nil
	}
	cp, err = proof.OpenCheckpoint([]byte(s.Checkpoint), slices.Concat(h.ring.given, s.Keys, s.Successors)...)
	if err != nil {
		return cp, err
	}
	for _, key := range h.ring.given {
		if origin, _, _ := strings.Cut(key, "+"); origin != cp.Origin {
			return cp, fmt.Errorf("it is of %.80q, the key is of %.80q", cp.Origin, origin)
		}
	}
	return cp, nil
}

// save writes the state if newest is not in it yet, also because an earlier try failed. What
// another client has written meanwhile must be of one log with newest: the larger checkpoint stays.
// After a crash there is all of it, or the one before, which is as good but older.
func (h *head) save(ctx context.Context) error {
	if h.path == "" {
		return nil
	}
	for {
		h.mu.Lock()
		unsaved := h.unsaved
		h.mu.Unlock()
		if !unsaved {
			return nil
		}
		raw, s, err := h.readState()
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		other, err := h.openState(s)
		if err != nil {
			return fmt.Errorf("state %s: %w: %w", h.path, ErrFork, err)
		}
		if other.Size > 0 {
			if err := h.compare(ctx, other, false); err != nil {
				return fmt.Errorf("state %s: %w", h.path, err)
			}
		}
		if written, err := h.replace(ctx, raw); written || err != nil {
			return err
		}
	}
}

// replace writes the state in place of the one that was read. It does nothing if that has been
// replaced meanwhile.
func (h *head) replace(ctx context.Context, read []byte) (bool, error) {
	h.saving.Lock()
	defer h.saving.Unlock()
	unlock, err := h.lockState(ctx)
	if err != nil {
		return false, fmt.Errorf("state: %w", err)
	}
	defer unlock()
	now, _, err := h.readState()
	if err != nil {
		return false, fmt.Errorf("state: %w", err)
	}
	if !bytes.Equal(now, read) {
		return false, nil
	}
	h.mu.Lock()
	size, s := h.newest.Size, state{h.ring.given, h.ring.successors, h.ring.firstUse, string(h.newest.Note)}
	h.mu.Unlock()
	raw, err := json.Marshal(s)
	if err == nil {
		if raw = append(raw, '\n'); !bytes.Equal(raw, now) {
			err = durable.WriteFile(h.path, raw, 0o600)
		}
	}
	if err != nil {
		return false, fmt.Errorf("state: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.newest.Size == size && len(h.ring.successors) == len(s.Successors) {
		h.unsaved = false
	}
	return true, nil
}

// lockState keeps other clients from writing the state until the result is called. Where the file
// system has no locks, it does nothing.
func (h *head) lockState(ctx context.Context) (unlock func() error, err error) {
	for pause := pauses(soon); ; {
		lock, err := flock.Create(h.path + ".lock")
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return func() error { return nil }, nil
		case err == nil:
			return lock.Close, nil
		case !errors.Is(err, flock.ErrLocked):
			return nil, err
		}
		if end := pause.Wait(ctx, 0); end != nil {
			return nil, fmt.Errorf("%w: %w", end, err)
		}
	}
}
