package proof

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Verifier checks many checkpoints and proofs with the same keys, which it parses once. A
// checkpoint that comes again is not checked again. Several goroutines may use a Verifier at a
// time.
type Verifier struct {
	keys      []string
	verifiers note.Verifiers

	mu     sync.Mutex
	opened [openedNotes]*openedNote // the newest ones, in a ring
	next   int
}

// openedNotes is how many notes a Verifier remembers. Concurrent callers may have that many
// different ones, each without opening it again.
const openedNotes = 16

// openedNote is a note that a Verifier has opened, or opens just now.
type openedNote struct {
	signed     string
	once       sync.Once
	checkpoint Checkpoint
	by         []string
	err        error
}

// NewVerifier returns a Verifier for the given verifier keys. A key that is malformed is an error.
func NewVerifier(vkeys ...string) (*Verifier, error) {
	verifiers, err := newVerifiers(vkeys)
	if err != nil {
		return nil, err
	}
	return &Verifier{keys: slices.Clone(vkeys), verifiers: verifiers}, nil
}

// Keys returns the verifier keys.
func (v *Verifier) Keys() []string { return slices.Clone(v.keys) }

// Open is OpenCheckpoint with the Verifier's keys. It also returns the keys that have signed.
func (v *Verifier) Open(signed []byte) (c Checkpoint, by []string, err error) {
	n := v.note(signed)
	n.once.Do(func() {
		if n.checkpoint, n.by, n.err = v.openNote([]byte(n.signed)); n.err != nil {
			v.forget(n) // it may be large, and came from anyone
		}
	})
	c = n.checkpoint
	if n.err == nil {
		c.Note = signed
	}
	return c, n.by, n.err
}

// note returns the place where the result of opening a note is kept.
func (v *Verifier) note(signed []byte) *openedNote {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, n := range v.opened {
		if n != nil && n.signed == string(signed) {
			return n
		}
	}
	n := &openedNote{signed: string(signed)}
	v.opened[v.next%openedNotes] = n
	v.next++
	return n
}

func (v *Verifier) forget(n *openedNote) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if i := slices.Index(v.opened[:], n); i >= 0 {
		v.opened[i] = nil
	}
}

func (v *Verifier) openNote(signed []byte) (c Checkpoint, by []string, err error) {
	c, ids, err := openCheckpointBy(signed, v.verifiers)
	if err != nil {
		return c, nil, err
	}
	for _, k := range v.keys {
		if slices.ContainsFunc(ids, func(id uint32) bool {
			return strings.HasPrefix(k, fmt.Sprintf("%s+%08x+", c.Origin, id))
		}) {
			by = append(by, k)
		}
	}
	return c, by, nil
}

// CheckEntry is EntryProof.Check with the Verifier's keys.
func (v *Verifier) CheckEntry(p EntryProof) (entry.Entry, Checkpoint, error) {
	c, _, err := v.Open([]byte(p.Checkpoint))
	if err != nil {
		return entry.Entry{}, Checkpoint{}, err
	}
	e, err := p.check(c)
	if err != nil {
		return entry.Entry{}, Checkpoint{}, err
	}
	return e, c, nil
}

// CheckBatch is BatchProof.Check with the Verifier's keys.
func (v *Verifier) CheckBatch(p BatchProof, entries []entry.Entry) (Checkpoint, error) {
	c, _, err := v.Open([]byte(p.Checkpoint))
	if err != nil {
		return Checkpoint{}, err
	}
	return c, p.check(entries, c)
}

func newVerifiers(vkeys []string) (note.Verifiers, error) {
	var list []note.Verifier
	for i, k := range vkeys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return nil, fmt.Errorf("verifier key %.80q: %w", k, err)
		}
		if !slices.Contains(vkeys[:i], k) { // twice would be ambiguous
			list = append(list, v)
		}
	}
	return note.VerifierList(list...), nil
}
