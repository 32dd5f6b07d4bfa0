package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// errBehind says that a server knows less than this client has seen, as after its restart.
var errBehind = errors.New("the server is behind what was seen before")

func behind(size, least uint64) error {
	if size < least {
		return fmt.Errorf("%w: its checkpoint is of size %d, size %d was seen", errBehind, size, least)
	}
	return nil
}

// retryBehind tries again while the server is behind. One that stays behind was rolled back.
func (h *head) retryBehind(ctx context.Context, try func() error) error {
	return h.retryFor(ctx, h.rollBackAfter, ErrFork, try)
}

// retryFor tries again for a while, as long as the server is behind. Then why says what that means.
func (h *head) retryFor(ctx context.Context, while time.Duration, why error, try func() error) error {
	deadline := time.Now().Add(while)
	for pause := pauses(soon); ; {
		err := try()
		if !errors.Is(err, errBehind) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %w", why, err)
		}
		if end := pause.Wait(ctx, 0); end != nil {
			return fmt.Errorf("%w: %w", end, err)
		}
	}
}

// consistent asks for the proof that one checkpoint's log is the begin of the other's, and checks
// it.
func (h *head) consistent(ctx context.Context, from, to proof.Checkpoint) error {
	return h.consistentWithin(ctx, h.rollBackAfter, ErrFork, from, to)
}

// consistentWithin is consistent. If the server is behind for that long, why says what it means.
func (h *head) consistentWithin(ctx context.Context, while time.Duration, why error, from, to proof.Checkpoint) error {
	if from.Size == to.Size {
		return fork(proof.CheckConsistency(from.Size, to.Size, from.Root, to.Root, nil))
	}
	query := url.Values{"from": {strconv.FormatUint(from.Size, 10)}, "to": {strconv.FormatUint(to.Size, 10)}}
	return h.retryFor(ctx, while, why, func() error {
		raw, err := h.api.persist(ctx, h.base, "/v1/consistency", query)
		switch {
		case err == nil:
			return checkConsistency(raw, from, to)
		case isStatus(err, http.StatusBadRequest), isStatus(err, http.StatusNotFound):
			return fmt.Errorf("%w: the server cannot show size %d: %w", errBehind, to.Size, err)
		}
		return err
	})
}

// checkConsistency is ErrProof if the answer is no proof, and ErrFork if the proof does not hold.
func checkConsistency(raw []byte, from, to proof.Checkpoint) error {
	var answer struct{ Proof []string }
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("%w: consistency: %w", ErrProof, err)
	}
	hashes := make([]entry.Hash, len(answer.Proof))
	for i, s := range answer.Proof {
		var err error
		if hashes[i], err = entry.ParseHash(s); err != nil {
			return fmt.Errorf("%w: consistency: %w", ErrProof, err)
		}
	}
	return fork(proof.CheckConsistency(from.Size, to.Size, from.Root, to.Root, hashes))
}

func fork(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFork, err)
	}
	return nil
}
