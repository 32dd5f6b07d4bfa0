package entry

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/redact"
)

// The numbers of the sealing rules of this package: how messages become entries. New code that would seal the
// same messages to other bytes gets a new number (SPEC 5.1). RulesRedacting are Rules, and redaction where a config says so (SPEC 13).
const (
	Rules          = 1
	RulesRedacting = 2
)

// Limits are the limits of the rules, as a config entry tells them.
type Limits struct {
	AttributeBytes, DataBytes, DataDepth, LeafBytes, MessageBytes, MessageEvents, Window uint64
}

// DefaultLimits are the limits of rules 1; no others are accepted under that number.
func DefaultLimits() Limits {
	return Limits{
		AttributeBytes: MaxAttributeBytes, DataBytes: MaxDataBytes, DataDepth: MaxDepth, LeafBytes: MaxLeafBytes,
		MessageBytes: MaxMessageBytes, MessageEvents: MaxMessageEvents, Window: WindowSize,
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

// Config is what holds from the index after its entry on (SPEC 5.1).
type Config struct {
	Origin            string
	Keys              []string // note verifier keys; each of them signs
	EventsCreated     string   // when EVENTS was created, nine digits
	EventsOpen        bool     // whether events.open takes any source
	Epoch             uint64
	Rules             uint64
	SecretFingerprint string
	Limits            Limits
	Redaction         *redact.Rules // what is redacted; nil: nothing. Rules 1 know none
	Previous          *uint64       // index of the config before it; nil at index 0
}

func (d *Config) appendJSON(dst []byte) []byte {
	o := beginObject(dst)
	o.num("epoch", d.Epoch)
	o.text("events_created", d.EventsCreated)
	o.boolean("events_open", d.EventsOpen)
	o.strings("keys", d.Keys)
	o.name("limits")
	in := beginObject(o.dst)
	for _, name := range []string{"attribute_bytes", "data_bytes", "data_depth", "leaf_bytes", "message_bytes", "message_events", "window"} {
		in.num(name, *d.Limits.byName(name))
	}
	o.dst = in.end()
	o.text("origin", d.Origin)
	if d.Previous != nil {
		o.num("previous", *d.Previous)
	}
	if d.Redaction != nil {
		o.name("redaction")
		o.dst = appendRedaction(o.dst, d.Redaction)
	}
	o.num("rules", d.Rules)
	o.text("secret_fingerprint", d.SecretFingerprint)
	return o.end()
}

func (d *Config) member(name string, v []byte) (err error) {
	switch name {
	case "epoch":
		d.Epoch, err = integer(v)
	case "events_created":
		d.EventsCreated, err = unquote(v)
	case "events_open":
		if d.EventsOpen = v[0] == 't'; v[0] != 't' && v[0] != 'f' {
			err = fmt.Errorf("events_open is no boolean")
		}
	case "keys":
		err = walkArray(v, func(v []byte) error {
			s, err := unquote(v)
			d.Keys = append(d.Keys, s)
			return err
		})
	case "limits":
		err = walkObject(v, func(name string, v []byte) (err error) {
			p := d.Limits.byName(name)
			if p == nil {
				return errMember
			}
			*p, err = integer(v)
			return err
		})
	case "origin":
		d.Origin, err = unquote(v)
	case "previous":
		var n uint64
		n, err = integer(v)
		d.Previous = &n
	case "redaction":
		d.Redaction = new(redact.Rules)
		err = walkObject(v, func(name string, v []byte) error { return redactionMember(d.Redaction, name, v) })
	case "rules":
		d.Rules, err = integer(v)
	case "secret_fingerprint":
		d.SecretFingerprint, err = unquote(v)
	default:
		err = errMember
	}
	return err
}

// AppendJSON writes the canonical JSON of the config: the data of the control event that asks for it.
func (d *Config) AppendJSON(dst []byte) []byte { return d.appendJSON(dst) }

// Follows says whether d may follow prev, the newest config, which stands at index at (SPEC 5.1).
func (d *Config) Follows(prev *Config, at uint64) error {
	switch {
	case d.Previous == nil || *d.Previous != at:
		return fault("previous", "is not the newest config, index %d", at)
	case d.Rules < prev.Rules:
		return fault("rules", "%d, but the log is sealed by rules %d already", d.Rules, prev.Rules)
	case d.Origin != prev.Origin || d.Limits != prev.Limits ||
		d.EventsCreated != prev.EventsCreated || d.Epoch != prev.Epoch || d.SecretFingerprint != prev.SecretFingerprint:
		return fault("", "rules 1 let a config change events_open alone") // or its keys, or redaction; the text is sealed, and stays as it was
	case !slices.Equal(d.Keys, prev.Keys):
		return d.succeeds(prev)
	}
	return nil
}

// succeeds says whether keys may follow those of prev: one of them goes on, so that each checkpoint has a signature that both lists know.
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

// isKeyOf says whether a text is a note verifier key for Ed25519 under a name (c2sp.org/signed-note).
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

// After is the state of the log before an epoch (SPEC 5.6).
type After struct {
	InputEpoch, InputSeq, Size uint64
	Root                       string
}

// Epoch opens an input epoch: EVENTS was made anew or lost its tail (SPEC 5.6).
type Epoch struct {
	Epoch         uint64
	EventsCreated string
	Reason        string
	After         After
}

func (d *Epoch) appendJSON(dst []byte) []byte {
	o := beginObject(dst)
	o.name("after")
	in := beginObject(o.dst)
	in.num("input_epoch", d.After.InputEpoch)
	in.num("input_seq", d.After.InputSeq)
	in.text("root", d.After.Root)
	in.num("size", d.After.Size)
	o.dst = in.end()
	o.num("epoch", d.Epoch)
	o.text("events_created", d.EventsCreated)
	o.text("reason", d.Reason)
	return o.end()
}

func (d *Epoch) member(name string, v []byte) (err error) {
	switch name {
	case "after":
		err = walkObject(v, func(name string, v []byte) (err error) {
			switch name {
			case "input_epoch":
				d.After.InputEpoch, err = integer(v)
			case "input_seq":
				d.After.InputSeq, err = integer(v)
			case "root":
				d.After.Root, err = unquote(v)
			case "size":
				d.After.Size, err = integer(v)
			default:
				err = errMember
			}
			return err
		})
	case "epoch":
		d.Epoch, err = integer(v)
	case "events_created":
		d.EventsCreated, err = unquote(v)
	case "reason":
		d.Reason, err = unquote(v)
	default:
		err = errMember
	}
	return err
}

// AppendJSON writes the canonical JSON of the epoch: the data of the control event that opens it.
func (d *Epoch) AppendJSON(dst []byte) []byte { return d.appendJSON(dst) }

// AppendJSON writes the canonical JSON of the erasure: the data of the control event that asks for it.
func (d *Erasure) AppendJSON(dst []byte) []byte { return d.appendJSON(dst) }
