package sealer

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// A prepared message is an EVENTS message read as far as that can be done without knowing the state of the log: parsed,
// checked, salted, hashed. Preparing is a pure function of the message and the log's identity, so messages are prepared
// in parallel; only state.step looks at them in order.
type prepared struct {
	msg    entry.Message
	source entry.Source // of position 0
	items  []item       // one for each event, by position
	open   bool         // came on events.open

	controlType string // of a control message
	control     entry.Detail

	redact *redact.Set // by which it was prepared; state.step does it again where another is in force
}

// item is one event of a message: the draft of its entry, or of the rejected entry in its place.
type item struct {
	draft entry.Draft
	key   windowKey // of (source, id); meaningless if the draft is no event
	print windowKey // fingerprint
}

// identity is what sealing depends on besides the log's prefix and the events (SPEC 1, 5).
type identity struct {
	log, origin string
	secret      []byte
	redact      *redact.Set // what the newest config says is redacted; nil: nothing
}

func (id identity) source(m entry.Message, epoch uint64) entry.Source {
	return entry.Source{Log: id.log, Origin: id.origin, Secret: id.secret, Epoch: epoch, Seq: m.Seq, ReceivedAt: entry.FormatReceived(m.Time), Redact: id.redact}
}

// Why messages are refused as one (SPEC 4).
var (
	errSubject = errors.New("not a subject of this log's EVENTS")
	errSize    = fmt.Errorf("more than %d bytes in one message", entry.MaxMessageBytes)
	errOpen    = errors.New("events.open is not accepted by this log")
	errToken   = &entry.FieldError{Field: "source", Reason: "its agent token is not the one of the subject it was published on"}
)

// prepare never fails: what cannot be read becomes a rejected entry.
func (id identity) prepare(m entry.Message, epoch uint64) prepared {
	p := prepared{msg: m, source: id.source(m, epoch), redact: id.redact}
	rest, ok := strings.CutPrefix(m.Subject, "audit."+id.log+".")
	kind, token, _ := strings.Cut(rest, ".")
	switch {
	case !ok:
		p.refuse(errSubject)
	case len(m.Data) > entry.MaxMessageBytes:
		p.refuse(errSize)
	case kind == "control" && token == "":
		var err error
		if p.controlType, p.control, err = entry.ParseControl(m.Data); err != nil {
			p.refuse(err)
		}
	case kind == "batch" && token != "":
		p.records()
	case kind == "events" && token == "open":
		p.open = true
		p.events("")
	case kind == "events" && token != "":
		p.events(token)
	default:
		p.refuse(errSubject)
	}
	return p
}

// refuse makes the whole message one rejected entry.
func (p *prepared) refuse(cause error) {
	p.controlType, p.control = "", nil
	p.items = []item{{draft: entry.RejectedMessage(p.source, cause, p.msg)}}
}

// events reads what an agent published. token "" takes any source.
func (p *prepared) events(token string) {
	switch p.msg.Mode() {
	case entry.Binary:
		ev, err := entry.ParseMessageBinary(p.msg)
		p.whole(ev, err, token, nil)
	case entry.Structured:
		ev, err := entry.ParseEvent(p.msg.Data)
		p.whole(ev, err, token, p.msg.Data)
	case entry.Batched:
		parts, err := entry.SplitBatch(p.msg.Data)
		if err != nil {
			p.refuse(err)
			return
		}
		p.items = make([]item, 0, len(parts)+1)
		for _, raw := range parts {
			ev, err := entry.ParseEvent(raw)
			p.add(ev, err, token, raw, "")
		}
	}
}

// whole takes the one event of a message that holds one; raw is the text that it was parsed from, nil in binary mode.
func (p *prepared) whole(ev entry.Event, err error, token string, raw []byte) {
	if err == nil {
		err = p.admit(&ev, token, raw)
	}
	if err != nil {
		p.refuse(err)
		return
	}
	p.seal(p.source, ev)
}

// admit checks an event's source against the token that it was published on, and then redacts the event.
func (p *prepared) admit(ev *entry.Event, token string, raw []byte) error {
	if err := checkToken(*ev, token); err != nil || p.redact == nil {
		return err
	}
	return ev.Redact(p.redact, raw)
}

// records reads ingest's own message.
func (p *prepared) records() {
	list, err := entry.ParseRecords(p.msg.Data)
	if err != nil {
		p.refuse(err)
		return
	}
	p.items = make([]item, 0, len(list)+1)
	for i := range list {
		r := &list[i]
		whole := r.Record.Event
		if whole == nil {
			whole = r.Raw
		}
		p.add(r.Event, r.Err, "", whole, r.Record.Publisher)
	}
}

func checkToken(ev entry.Event, token string) error {
	if token != "" && entry.AgentToken(ev.Source) != token {
		return errToken
	}
	return nil
}

// add appends the event at the next position, or the rejected entry in its place; raw is the whole of SPEC 5.2.
func (p *prepared) add(ev entry.Event, err error, token string, raw []byte, publisher string) {
	src := p.source
	src.Position, src.Publisher = uint64(len(p.items)), publisher
	if err == nil {
		err = p.admit(&ev, token, raw)
	}
	if err != nil {
		p.items = append(p.items, item{draft: entry.RejectedDraft(src, err, raw, p.msg.Subject)})
		return
	}
	p.seal(src, ev)
}

// seal appends the draft of an event.
func (p *prepared) seal(src entry.Source, ev entry.Event) {
	it := item{draft: entry.EventDraft(src, ev)}
	it.key = claimKey(it.draft.Claim())
	it.print = windowKey(it.draft.Fingerprint())
	p.items = append(p.items, it)
}

// claimKey is the key of (source, id) in the window.
func claimKey(source, id string) windowKey {
	buf := make([]byte, 0, 256)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(source)))
	buf = append(buf, source...)
	buf = append(buf, id...)
	return windowKey(sha256.Sum256(buf))
}
