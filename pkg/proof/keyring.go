package proof

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/pkg/entry"
)

// keyring knows which keys may sign the next checkpoint of a log (SPEC 8). In force are those of the newest config before the batch; of them
// those count that are trusted: the caller's, and what a checkpoint under a trusted key has announced. A retired key signs nothing any more.
type keyring struct {
	given   []string // the caller's; none: index 0's
	trusted []string // and their successors
	force   []string // for the next batch; nil: not known, so that all that are trusted may sign
	late    bool     // a given key may be one that the log has announced later: what stands before is vouched for by its first checkpoint
	vouched bool     // a trusted key has signed a checkpoint

	verifiers note.Verifiers // of the keys in use
	used      []string
}

var errNotNamed = errors.New("the log's config names none of the given keys")

// begin takes index 0's config, which holds for the batch that it stands in.
func (r *keyring) begin(keys []string) {
	r.force = keys
	if len(r.given) == 0 {
		r.trusted = slices.Clone(keys)
	}
}

// use is the keys one of which must have signed.
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
func (r *keyring) open(signed []byte, opened *openedNote) (Checkpoint, error) {
	keys, err := r.use()
	if err != nil {
		return Checkpoint{}, err
	}
	if opened == nil || opened.err != nil || !bytes.Equal(opened.checkpoint.Note, signed) || !overlap(opened.by, keys) {
		if !slices.Equal(r.used, keys) {
			if r.verifiers, err = newVerifiers(keys); err != nil {
				return Checkpoint{}, err
			}
			r.used = keys
		}
		opened = openNote(signed, keys, r.verifiers)
	}
	if opened.err != nil {
		return Checkpoint{}, opened.err
	}
	if !overlap(opened.by, keys) {
		return Checkpoint{}, fmt.Errorf("%w: not signed by a key in force", ErrCheckpoint)
	}
	r.vouched = r.vouched || overlap(keys, r.trusted)
	return opened.checkpoint, nil
}

// after takes the newest config of the log, behind a batch whose checkpoint is good: its keys hold from the next batch on.
func (r *keyring) after(newest *entry.Config) {
	r.force = newest.Keys
	for _, k := range r.force {
		if r.vouched && !slices.Contains(r.trusted, k) {
			r.trusted = append(r.trusted, k)
		}
	}
}

// anchored says whether a trusted key has signed: without that, a log that names a given key somewhere would be anybody's.
func (r *keyring) anchored() error {
	if r.force != nil && !r.vouched {
		return errNotNamed
	}
	return nil
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(k string) bool { return slices.Contains(b, k) })
}
