package audit

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// rules4 checks what ruleset.Blinding asks of a log beyond the form of its leaves
// (docs/SPEC-rules4.md, 6).
type rules4 struct {
	blind  bool              // an entry with a blind was seen: all later ones have one
	access map[string]uint64 // index of the newest access entry by role
}

// entry takes the next entry. config is the newest config before it, nil if none was seen. resumed
// says that the walk does not know the entries before it began.
func (r *rules4) entry(e, config *entry.Entry, resumed bool) error {
	c := &entry.Config{Rules: ruleset.First}
	if config != nil {
		c = config.Detail.(*entry.Config)
	}
	under := c.Rules >= ruleset.Blinding
	if known := config != nil || !resumed; known && under != (e.Blind != "") || r.blind && e.Blind == "" {
		return fmt.Errorf("blind does not belong to rules %d, or is missing", c.Rules)
	}
	if c, ok := e.Detail.(*entry.Config); ok && c.Rules > ruleset.Blinding {
		return fmt.Errorf("rules %d: a newer release of sealstream is required", c.Rules)
	}
	r.blind = r.blind || e.Blind != ""
	if e.HasVerdict() {
		return errors.New("a verdict, in a log without verdicts")
	}
	if e.Altered && config != nil && c.Redaction == nil {
		return errors.New("altered, but the log redacts nothing")
	}
	if d, ok := e.Detail.(*entry.Access); ok {
		return r.follows(e, d, resumed)
	}
	return nil
}

// follows checks that an access entry names the one before it.
func (r *rules4) follows(e *entry.Entry, d *entry.Access, resumed bool) error {
	newest, ok := r.access[d.Role]
	if ok && (d.Previous == nil || *d.Previous != newest) || !ok && !resumed && d.Previous != nil {
		return fmt.Errorf("previous is not the newest access entry of the role %s", d.Role)
	}
	if r.access == nil {
		r.access = map[string]uint64{}
	}
	r.access[d.Role] = e.Index
	return nil
}
