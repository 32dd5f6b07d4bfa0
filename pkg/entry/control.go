package entry

import (
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// Control reads what an administrator published on the control subject: a structured event of one
// of the types of SPEC 5 whose JSON data is the detail. eventType is that of the entry to be
// sealed. Errors are *FieldError. Whether the detail fits the state of the log is for the sealer to
// decide.
func (m Message) Control() (eventType string, d Detail, err error) {
	e, err := parseStructured(m.Data)
	if err != nil {
		return "", nil, err
	}
	if e.ID == "" || e.Source == "" {
		return "", nil, fault("id", "id and source are required")
	}
	switch e.Type {
	case TypeConfig, TypeEpoch, TypeErasure:
	default:
		return "", nil, fault("type", "%.80q is no control event", e.Type)
	}
	if !e.rawJSON {
		return "", nil, fault("data", "JSON is required")
	}
	if d, err = parseDetail(e.Type, e.Data); err != nil {
		return "", nil, fault("data", "%v", err)
	}
	switch d := d.(type) {
	case *Config:
		err = d.check()
	case *Epoch:
		err = d.check()
	case *Erasure:
		err = d.check()
	}
	return e.Type, d, err
}

func (d *Config) check() error {
	switch {
	case checkText(d.Origin) != nil || strings.ContainsAny(d.Origin, " +"):
		return fault("origin", "not an origin")
	case len(d.Keys) == 0 || len(d.Keys) > 16 ||
		slices.ContainsFunc(d.Keys, func(k string) bool { return checkText(k) != nil }):
		return fault("keys", "1 to 16 verifier keys are required")
	case !isReceived(d.EventsCreated):
		return fault("events_created", "not a time of nine digits")
	case d.Epoch == 0:
		return fault("epoch", "counts from 1")
	case d.Rules < ruleset.First || d.Rules > ruleset.Known:
		// the text is sealed, and stays as it was
		return fault("rules", "%d, but this sealer knows %d", d.Rules, ruleset.First)
	case d.Redaction != nil && d.Rules < ruleset.Redacting:
		return fault("redaction", "rules %d know none", d.Rules)
	case d.Limits != DefaultLimits():
		return fault("limits", "not those of rules %d", ruleset.First)
	case len(d.SecretFingerprint) != 32 || strings.Trim(d.SecretFingerprint, canonical.LowerHex) != "":
		return fault("secret_fingerprint", "not 32 lower-case hexadecimal digits")
	}
	if d.Redaction != nil {
		if err := d.Redaction.Check(); err != nil {
			return fault("redaction", "%v", err)
		}
	}
	return d.checkPrivate()
}

// checkPrivate checks that no private field is an attribute that ruleset.Blinding needs in leaves.
func (d *Config) checkPrivate() error {
	if d.Redaction == nil || d.Rules < ruleset.Blinding {
		return nil
	}
	for _, name := range d.Redaction.Private {
		if notPrivate(name) {
			return fault("redaction", "%q cannot be a private field under rules %d", name, d.Rules)
		}
	}
	return nil
}

func (d *Epoch) check() error {
	if _, err := ParseHash(d.After.Root); err != nil {
		return fault("after", "root: %v", err)
	}
	if !isReceived(d.EventsCreated) {
		return fault("events_created", "not a time of nine digits")
	}
	if err := checkText(d.Reason); err != nil {
		return fault("reason", "%v", err)
	}
	return nil
}

func (d *Erasure) check() error {
	if len(d.Indexes) == 0 || len(d.Indexes) > 1024 {
		return fault("indexes", "1 to 1024 indexes are required")
	}
	for i, n := range d.Indexes {
		if i > 0 && n <= d.Indexes[i-1] {
			return fault("indexes", "not ascending")
		}
	}
	for _, r := range []struct{ field, value string }{{"reason", d.Reason}, {"authority", d.Authority}} {
		if err := checkText(r.value); err != nil {
			return fault(r.field, "%v", err)
		}
	}
	return nil
}

// checkText checks a text in the detail of a control event.
func checkText(s string) error {
	if s == "" {
		return fault("", "required")
	}
	return checkAttribute("text", s)
}

func isReceived(s string) bool {
	t, err := canonical.ParseTime(s)
	return err == nil && canonical.FormatReceived(t) == s
}
