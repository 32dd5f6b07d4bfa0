package entry

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Limits are the limits of the sealing rules, as a config entry states them (SPEC 3, 4 and 5.8).
type Limits struct {
	AttributeBytes uint64 // bytes of an attribute's value
	DataBytes      uint64 // bytes of an event's data, decoded
	DataDepth      uint64 // arrays and objects inside each other, in data
	LeafBytes      uint64 // bytes of a leaf
	MessageBytes   uint64 // bytes of an EVENTS message
	MessageEvents  uint64 // events in an EVENTS message
	Window         uint64 // entries among which repeats are found
}

// DefaultLimits returns the limits of rules 1 to 3, which allow no others.
func DefaultLimits() Limits {
	return Limits{
		AttributeBytes: ruleset.MaxAttributeBytes, DataBytes: ruleset.MaxDataBytes, DataDepth: ruleset.MaxDepth,
		LeafBytes:    ruleset.MaxLeafBytes,
		MessageBytes: ruleset.MaxMessageBytes, MessageEvents: ruleset.MaxMessageEvents, Window: ruleset.WindowSize,
	}
}

func (l *Limits) byName(name string) *uint64 {
	switch name {
	case "attribute_bytes":
		return &l.AttributeBytes
	case "data_bytes":
		return &l.DataBytes
	case "data_depth":
		return &l.DataDepth
	case "leaf_bytes":
		return &l.LeafBytes
	case "message_bytes":
		return &l.MessageBytes
	case "message_events":
		return &l.MessageEvents
	case "window":
		return &l.Window
	}
	return nil
}

// Config holds the settings of a log. They apply to the entries after the config's own (SPEC 5.1).
type Config struct {
	Origin            string        // name of the log in checkpoints
	Keys              []string      // note verifier keys, each of which signs checkpoints
	EventsCreated     string        // when EVENTS was created: RFC 3339 in UTC, nine digits
	EventsOpen        bool          // whether the subject events.open takes events of any source
	Epoch             uint64        // input epoch, from 1
	Rules             uint64        // number of the sealing rules
	SecretFingerprint string        // 32 hexadecimal digits that tell log secrets apart
	Limits            Limits        // limits of the rules
	Redaction         *redact.Rules // what is redacted; nil redacts nothing. Rules 1 have none
	Previous          *uint64       // index of the config before; nil at index 0
}

func (d *Config) appendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	o.Uint("epoch", d.Epoch)
	o.Text("events_created", d.EventsCreated)
	o.Bool("events_open", d.EventsOpen)
	o.Texts("keys", d.Keys)
	o.Name("limits")
	in := canonical.BeginObject(o.Dst)
	for _, name := range []string{
		"attribute_bytes", "data_bytes", "data_depth", "leaf_bytes", "message_bytes", "message_events", "window",
	} {
		in.Uint(name, *d.Limits.byName(name))
	}
	o.Dst = in.End()
	o.Text("origin", d.Origin)
	if d.Previous != nil {
		o.Uint("previous", *d.Previous)
	}
	if d.Redaction != nil {
		o.Name("redaction")
		o.Dst = appendRedaction(o.Dst, d.Redaction)
	}
	o.Uint("rules", d.Rules)
	o.Text("secret_fingerprint", d.SecretFingerprint)
	return o.End()
}

func (d *Config) member(name string, v []byte) (err error) {
	switch name {
	case "epoch":
		d.Epoch, err = canonical.Integer(v)
	case "events_created":
		d.EventsCreated, err = canonical.Unquote(v)
	case "events_open":
		if d.EventsOpen = v[0] == 't'; v[0] != 't' && v[0] != 'f' {
			err = fmt.Errorf("events_open is no boolean")
		}
	case "keys":
		err = canonical.WalkArray(v, func(v []byte) error {
			s, err := canonical.Unquote(v)
			d.Keys = append(d.Keys, s)
			return err
		})
	case "limits":
		err = canonical.WalkObject(v, func(name string, v []byte) (err error) {
			p := d.Limits.byName(name)
			if p == nil {
				return errMember
			}
			*p, err = canonical.Integer(v)
			return err
		})
	case "origin":
		d.Origin, err = canonical.Unquote(v)
	case "previous":
		var n uint64
		n, err = canonical.Integer(v)
		d.Previous = &n
	case "redaction":
		d.Redaction = new(redact.Rules)
		err = canonical.WalkObject(v, func(name string, v []byte) error { return redactionMember(d.Redaction, name, v) })
	case "rules":
		d.Rules, err = canonical.Integer(v)
	case "secret_fingerprint":
		d.SecretFingerprint, err = canonical.Unquote(v)
	case "verdicts":
		err = errors.New("a newer release of sealstream is required")
	default:
		err = errMember
	}
	return err
}

// AppendJSON appends the canonical JSON of the config: the data of the control event that asks for
// it.
func (d *Config) AppendJSON(dst []byte) []byte { return d.appendJSON(dst) }

// Follows checks that d may follow prev, the newest config, whose entry has the index at (SPEC
// 5.1). Errors are *FieldError.
func (d *Config) Follows(prev *Config, at uint64) error {
	switch {
	case d.Previous == nil || *d.Previous != at:
		return fault("previous", "is not the newest config, index %d", at)
	case d.Rules < prev.Rules:
		return fault("rules", "%d, but the log is sealed by rules %d already", d.Rules, prev.Rules)
	case d.Origin != prev.Origin || d.Limits != prev.Limits ||
		d.EventsCreated != prev.EventsCreated || d.Epoch != prev.Epoch || d.SecretFingerprint != prev.SecretFingerprint:
		// or its keys, or redaction; the text is sealed, and stays as it was
		return fault("", "rules 1 let a config change events_open alone")
	case !slices.Equal(d.Keys, prev.Keys):
		return d.succeeds(prev)
	}
	return nil
}

// succeeds checks that the keys may follow those of prev. They must share one, so that a reader of
// either list can verify each checkpoint.
func (d *Config) succeeds(prev *Config) error {
	goesOn := false
	for i, k := range d.Keys {
		if !isKeyOf(d.Origin, k) {
			return fault("keys", "%.80q is no Ed25519 verifier key of %.80q", k, d.Origin)
		}
		id := k[:len(d.Origin)+len("+00000000+")] // signatures name their key by it
		if slices.ContainsFunc(d.Keys[:i], func(other string) bool { return strings.HasPrefix(other, id) }) {
			return fault("keys", "%.80q stands there twice", k)
		}
		goesOn = goesOn || slices.Contains(prev.Keys, k)
	}
	if !goesOn {
		return fault("keys", "none of the keys before is among them: they must overlap")
	}
	return nil
}

// isKeyOf reports whether a text is a note verifier key for Ed25519 under a name
// (c2sp.org/signed-note).
func isKeyOf(name, vkey string) bool {
	rest, ok := strings.CutPrefix(vkey, name+"+")
	id, key, ok2 := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(key)
	if !ok || !ok2 || err != nil || len(raw) != 1+32 || raw[0] != 1 || base64.StdEncoding.EncodeToString(raw) != key {
		return false
	}
	h := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return id == hex.EncodeToString(h[:4])
}

// After is the state of the log at the end of an input epoch (SPEC 5.6).
type After struct {
	InputEpoch uint64 // the epoch that ended
	InputSeq   uint64 // sequence of the last EVENTS message that was sealed
	Size       uint64 // number of entries
	Root       string // root hash of the tree of that size
}

// Epoch opens an input epoch, after EVENTS was created again or lost its newest messages (SPEC
// 5.6).
type Epoch struct {
	Epoch         uint64 // number of the epoch, one more than the last
	EventsCreated string // when EVENTS was created: RFC 3339 in UTC, nine digits
	Reason        string // why an administrator opened it
	After         After  // state of the log before it
}

func (d *Epoch) appendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	o.Name("after")
	in := canonical.BeginObject(o.Dst)
	in.Uint("input_epoch", d.After.InputEpoch)
	in.Uint("input_seq", d.After.InputSeq)
	in.Text("root", d.After.Root)
	in.Uint("size", d.After.Size)
	o.Dst = in.End()
	o.Uint("epoch", d.Epoch)
	o.Text("events_created", d.EventsCreated)
	o.Text("reason", d.Reason)
	return o.End()
}

func (d *Epoch) member(name string, v []byte) (err error) {
	switch name {
	case "after":
		err = canonical.WalkObject(v, func(name string, v []byte) (err error) {
			switch name {
			case "input_epoch":
				d.After.InputEpoch, err = canonical.Integer(v)
			case "input_seq":
				d.After.InputSeq, err = canonical.Integer(v)
			case "root":
				d.After.Root, err = canonical.Unquote(v)
			case "size":
				d.After.Size, err = canonical.Integer(v)
			default:
				err = errMember
			}
			return err
		})
	case "epoch":
		d.Epoch, err = canonical.Integer(v)
	case "events_created":
		d.EventsCreated, err = canonical.Unquote(v)
	case "reason":
		d.Reason, err = canonical.Unquote(v)
	default:
		err = errMember
	}
	return err
}

// AppendJSON appends the canonical JSON of the epoch: the data of the control event that opens it.
func (d *Epoch) AppendJSON(dst []byte) []byte { return d.appendJSON(dst) }

// AppendJSON appends the canonical JSON of the erasure: the data of the control event that asks for
// it.
func (d *Erasure) AppendJSON(dst []byte) []byte { return d.appendJSON(dst) }
