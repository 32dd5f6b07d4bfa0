package inbox

import (
	"errors"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Record is one element of ingest's own EVENTS messages (SPEC 4).
type Record struct {
	Publisher string // the identity that ingest authenticated, or ""
	Event     []byte // structured
}

// ParseRecord reads a record. It does not check Event, which is a part of raw.
func ParseRecord(raw []byte) (r Record, err error) {
	err = canonical.WalkObject(raw, func(name string, value []byte) error {
		switch name {
		case "event":
			r.Event = value
			return nil
		case "publisher":
			s, err := canonical.Unquote(value)
			if err == nil && !ruleset.ValidPublisher(s) {
				err = errors.New("not 1 to 256 characters of printable ASCII without quote and backslash")
			}
			if err != nil {
				return fault("publisher", err.Error())
			}
			r.Publisher = s
			return nil
		}
		return fault(canonical.Clip(name, 80), "no member of a record")
	})
	if err == nil && r.Event == nil {
		err = fault("event", "required")
	}
	return r, asField(err)
}

const eventMember = `{"event":`

// AppendRecord appends a record as ParseRecord reads it.
func AppendRecord(dst []byte, r Record) []byte {
	dst = append(dst, eventMember...)
	dst = append(dst, r.Event...)
	if r.Publisher != "" {
		dst = append(dst, `,"publisher":`...)
		dst = canonical.AppendString(dst, r.Publisher)
	}
	return append(dst, '}')
}

func fault(field, reason string) error { return &entry.FieldError{Field: field, Reason: reason} }

// asField makes a *entry.FieldError of what WalkObject returned.
func asField(err error) error {
	if err == nil {
		return nil
	}
	if fe, ok := errors.AsType[*entry.FieldError](err); ok {
		return fe
	}
	if me, ok := errors.AsType[*canonical.MemberError](err); ok {
		return fault(me.Name, me.Reason)
	}
	return fault("", err.Error())
}
