package sealer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// serviceState is what the sealer must know of the prefix from ruleset.Blinding on
// (docs/SPEC-rules4.md, 8). It is never changed where it is: access is copied before a change.
type serviceState struct {
	access map[string]uint64 // index of the newest access entry by role
	bare   uint64            // index after the newest entry without a blind
}

// note takes an entry that follows.
func (s *serviceState) note(e *entry.Entry) {
	if e.Blind == "" {
		s.bare = e.Index + 1
	}
	if d, ok := e.Detail.(*entry.Access); ok {
		s.set(d.Role, &e.Index)
	}
}

// takeBack takes back the newest entry. It is one of a message that is not sealed completely, so it
// is no config.
func (s *serviceState) takeBack(e *entry.Entry) {
	if d, ok := e.Detail.(*entry.Access); ok {
		s.set(d.Role, d.Previous)
	}
}

// set sets the newest access entry of a role; nil means none.
func (s *serviceState) set(role string, index *uint64) {
	again := maps.Clone(s.access)
	if again == nil {
		again = map[string]uint64{}
	}
	if delete(again, role); index != nil {
		again[role] = *index
	}
	s.access = again
}

// refuses says why a service's event cannot be sealed at an index, or returns nil.
func (s *serviceState) refuses(d entry.Detail, publisher string, index uint64) error {
	switch d := d.(type) {
	case *entry.Access:
		newest, ok := s.access[d.Role]
		if ok != (d.Previous != nil) || ok && newest != *d.Previous {
			return &entry.FieldError{Field: "previous", Reason: "is not the newest access entry of the role"}
		}
	case *entry.Read:
		if publisher == "" {
			return &entry.FieldError{Field: "publisher", Reason: "required"}
		}
		if d.Access != nil && *d.Access >= index {
			return &entry.FieldError{Field: "access", Reason: fmt.Sprintf("index %d is not sealed yet", *d.Access)}
		}
	}
	return nil
}

// loadServices finds the access entries before the walk, which began in the middle of the log. None
// is older than the first config with ruleset.Blinding. The walk trusts the batch that it began
// after, and what is chained to it.
func (t *tail) loadServices(ctx context.Context) error {
	if t.began == 0 || t.chain.Size() == 0 {
		return nil
	}
	if t.config.Rules >= ruleset.Blinding {
		first, err := t.firstBlinding(ctx)
		if err != nil {
			return err
		}
		if first.Batch.First < t.began {
			if err := t.readServices(ctx, first); err != nil {
				return err
			}
		}
	}
	t.began = 0
	return nil
}

// firstBlinding finds the batch with the first config of ruleset.Blinding, from the newest config
// backwards.
func (t *tail) firstBlinding(ctx context.Context) (first store.At, err error) {
	config, index := t.config, t.configIndex
	for config.Rules >= ruleset.Blinding {
		if first, err = store.FindBatch(ctx, t.log, index); errors.Is(err, store.ErrNotFound) {
			return first, errStartUntrusted
		} else if err != nil {
			return first, fmt.Errorf("config at index %d: %w", index, unreadable(err))
		}
		if config.Previous == nil || *config.Previous >= index {
			return first, nil
		}
		index = *config.Previous
		if config, err = t.configAt(ctx, index); err != nil {
			return first, err
		}
	}
	return first, nil
}

// scanned is what readServices needs of a batch.
type scanned struct {
	batch    sealedlog.Batch // without leaves; zero if the message is none
	previous entry.Hash      // previous_hash of its first leaf
	last     entry.Hash      // entry hash of its last leaf
	access   []entry.Entry
	ok       bool
}

// accessMark stands in every access entry.
var accessMark = []byte(`"event_type":"` + ruleset.TypeAccess + `"`)

func scan(m entry.Message) (s scanned) {
	b, err := sealedlog.ParseBatch(m)
	if err != nil || len(b.Leaves) == 0 {
		return s
	}
	first, err := entry.ParseEntry(b.Leaves[0])
	if err != nil {
		return s
	}
	s = scanned{previous: first.PreviousHash, last: entry.LeafHash(b.Leaves[len(b.Leaves)-1]), ok: true}
	for _, leaf := range b.Leaves {
		if !bytes.Contains(leaf, accessMark) {
			continue
		}
		if e, err := entry.ParseEntry(leaf); err == nil && e.EventType == ruleset.TypeAccess {
			s.access = append(s.access, e)
		}
	}
	b.Leaves = nil
	s.batch = b
	return s
}

// readServices reads the access entries from a batch on up to where the walk began. A message that
// does not continue the one before is void.
func (t *tail) readServices(ctx context.Context, first store.At) error {
	ctx, came, done := withIdleTimeout(ctx)
	defer done()
	var before scanned
	found := serviceState{}
	for s, err := range store.Ahead(ctx, t.log.Sealed, first.Seq, t.beganAfter, scan) {
		if err != nil {
			return unreadable(err)
		}
		came()
		if !s.ok || before.ok && (s.batch.First != before.batch.Size || s.previous != before.last ||
			!s.batch.Input.After(before.batch.Input)) {
			continue
		}
		before = s
		for i := range s.access {
			found.note(&s.access[i])
		}
	}
	if !before.ok || before.batch.Size != t.began {
		return errStartUntrusted
	}
	for role, index := range found.access {
		if _, newer := t.service.access[role]; !newer {
			t.service.set(role, &index)
		}
	}
	return nil
}
