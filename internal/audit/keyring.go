package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// keyring knows which keys may sign the next checkpoint of a log (SPEC 8). Active keys are those of
// the newest config before the batch. Of these the trusted ones count: the caller's, and those that
// a checkpoint under a trusted key has announced. A retired key signs nothing any more.
type keyring struct {
	given   []string // the caller's; none: index 0's
	trusted []string // and their successors
	force   []string // for the next batch; nil: not known, so that all that are trusted may sign
	// a given key may be one that the log has announced later: what stands before is vouched for by
	// its first checkpoint
	late    bool
	vouched bool // a trusted key has signed a checkpoint

	verifier *proof.Verifier // of the keys in use
	used     []string
}

var errNotNamed = fmt.Errorf("%w: the log's config names none of the given keys", proof.ErrNotSigned)

// errSelf replaces ErrNotSigned if no key was given, or none of the given ones may sign: then the
// log's own keys must have signed.
var errSelf = errors.New("not signed by a key that the log's config names")

// begin takes index 0's config, which already holds for the batch that it is in.
func (r *keyring) begin(keys []string) {
	r.force = keys
	if len(r.given) == 0 {
		r.trusted = slices.Clone(keys)
	}
}

// use returns the keys of which one must have signed.
func (r *keyring) use() ([]string, error) {
	if r.force == nil {
		if len(r.trusted) == 0 {
			return nil, errors.New("no key to check with")
		}
		return r.trusted, nil
	}
	var keys []string
	for _, k := range r.force {
		if slices.Contains(r.trusted, k) {
			keys = append(keys, k)
		}
	}
	switch {
	case len(keys) > 0:
		return keys, nil
	case r.late && !r.vouched:
		return r.force, nil
	}
	return nil, errNotNamed
}

// open opens a checkpoint, unless it was opened already.
func (r *keyring) open(signed []byte, opened *openedNote) (proof.Checkpoint, error) {
	keys, err := r.use()
	if err != nil {
		return proof.Checkpoint{}, err
	}
	if opened == nil || opened.err != nil || !bytes.Equal(opened.checkpoint.Note, signed) || !overlap(opened.by, keys) {
		if !slices.Equal(r.used, keys) {
			if r.verifier, err = proof.NewVerifier(keys...); err != nil {
				return proof.Checkpoint{}, err
			}
			r.used = keys
		}
		opened = openNote(signed, r.verifier)
	}
	if errors.Is(opened.err, proof.ErrNotSigned) && !overlap(keys, r.given) {
		return proof.Checkpoint{}, fmt.Errorf("%w: %w", proof.ErrCheckpoint, errSelf)
	}
	if opened.err != nil {
		return proof.Checkpoint{}, opened.err
	}
	if !overlap(opened.by, keys) {
		return proof.Checkpoint{}, fmt.Errorf("%w: not signed by a key in force", proof.ErrCheckpoint)
	}
	r.vouched = r.vouched || overlap(keys, r.trusted)
	return opened.checkpoint, nil
}

// after takes the newest config of the log after a batch with a valid checkpoint. Its keys are
// active from the next batch on.
func (r *keyring) after(newest *entry.Config) {
	r.force = newest.Keys
	for _, k := range r.force {
		if r.vouched && !slices.Contains(r.trusted, k) {
			r.trusted = append(r.trusted, k)
		}
	}
}

// anchored returns an error if no trusted key has signed. Without that check, anybody's log that
// names a given key somewhere would pass.
func (r *keyring) anchored() error {
	if r.force != nil && !r.vouched {
		return errNotNamed
	}
	return nil
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(k string) bool { return slices.Contains(b, k) })
}
