package sealer

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/streams/subject"
)

// prepared is an EVENTS message, processed as far as possible without the state of the log: parsed,
// checked, salted and hashed. Preparing is a pure function of the message and the log's identity,
// so messages are prepared in parallel. Only state.step handles them in order.
type prepared struct {
	msg    entry.Message
	source draft.Source // of position 0
	items  []item       // one for each event, by position
	older  []item       // the same by the rules before ruleset.Blinding, if state.repeat needed them
	open   bool         // published on events.open

	controlType string // event type of a control message
	control     entry.Detail

	redact *redact.Set // rules used; state.step prepares again if the log's rules differ by then
	rules  uint64      // rules number used, likewise
}

// item is one event of a message: the draft of its entry, or of the rejected entry in its place.
type item struct {
	draft       draft.Draft
	key         windowKey    // of (source, id); unused if the draft is no event
	fingerprint windowKey    // fingerprint
	refused     *draft.Draft // the entry in place of an event that does not fit and is no repeat
	service     *refusable   // set if a service wrote it
}

// refusable is what it takes to refuse an event when the state is known.
type refusable struct {
	source draft.Source
	whole  []byte
}

// identity is what sealing depends on besides the log's prefix and the events (SPEC 1, 5).
type identity struct {
	logName, origin string
	secret          []byte
	redact          *redact.Set // redaction rules of the newest config; nil redacts nothing
	rules           uint64      // rules number of the newest config

	// returns the records of a message of ingest, if what ingest has parsed of it may be used; nil
	// if there is no ingest in this process
	handed func(m entry.Message, rules uint64, set *redact.Set) ([]inbox.EventRecord, bool)
}

func (id identity) source(m entry.Message, epoch uint64) draft.Source {
	return draft.Source{
		Log:        id.logName,
		Origin:     id.origin,
		Secret:     id.secret,
		Epoch:      epoch,
		Seq:        m.Seq,
		ReceivedAt: canonical.FormatReceived(m.Time),
		Redact:     id.redact,
		Rules:      id.rules,
	}
}

// Reasons for rejecting a whole message (SPEC 4).
var (
	errSubject = errors.New("not a subject of this log's EVENTS")
	errSize    = fmt.Errorf("more than %d bytes in one message", ruleset.MaxMessageBytes)
	errOpen    = errors.New("events.open is not accepted by this log")
	errToken   = &entry.FieldError{
		Field:  "source",
		Reason: "its agent token is not the one of the subject it was published on",
	}
	errPublisher = &entry.FieldError{Field: "publisher", Reason: "only the sealer names a subject"}
)

// prepare never fails: a message that cannot be read becomes a rejected entry.
func (id identity) prepare(m entry.Message, epoch uint64) prepared {
	p := prepared{msg: m, source: id.source(m, epoch), redact: id.redact, rules: id.rules}
	rest, ok := strings.CutPrefix(m.Subject, subject.Root(id.logName))
	kind, token, _ := strings.Cut(rest, ".")
	if ok && kind == "events" && id.rules >= ruleset.Blinding && subject.IsAgentToken(token) {
		p.source.Publisher = subject.Publisher(token)
	}
	switch {
	case !ok:
		p.refuse(errSubject)
	case len(m.Data) > ruleset.MaxMessageBytes:
		p.refuse(errSize)
	case kind == "control" && token == "":
		var err error
		if p.controlType, p.control, err = m.Control(); err != nil {
			p.refuse(err)
		}
	case kind == "batch" && token != "":
		p.records(id)
	case kind == "service" && id.rules >= ruleset.Blinding && subject.IsRole(token):
		p.services(token)
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

// refuse turns the whole message into one rejected entry.
func (p *prepared) refuse(cause error) {
	p.controlType, p.control = "", nil
	p.items = []item{{draft: draft.RejectedMessage(p.source, cause, p.msg)}}
}

// events reads a message that an agent published. An empty token accepts any source.
func (p *prepared) events(token string) {
	switch inbox.ModeOf(p.msg, p.rules) {
	case inbox.Binary:
		ev, err := inbox.ParseBinary(p.msg, p.rules)
		p.single(ev, err, token, nil)
	case inbox.Structured:
		ev, err := entry.ParseEvent(p.msg.Data)
		p.single(ev, err, token, p.msg.Data)
	case inbox.Batched:
		parts, err := inbox.Split(p.msg.Data)
		if err != nil {
			p.refuse(err)
			return
		}
		p.items = make([]item, 0, len(parts)+1)
		for _, raw := range parts {
			ev, err := entry.ParseEvent(raw)
			p.add(&inbox.EventRecord{Event: ev, Err: err}, token, raw)
		}
	}
}

// single adds the event of a message that holds exactly one. raw is the text that it was parsed
// from, or nil in binary mode.
func (p *prepared) single(ev entry.Event, err error, token string, raw []byte) {
	if err == nil {
		err = p.admit(&ev, token, raw, false)
	}
	if err != nil {
		p.refuse(err)
		return
	}
	p.seal(p.source, ev, func(src draft.Source, err error) draft.Draft {
		return draft.RejectedMessage(src, err, p.msg)
	})
}

// admit applies the log's rules to an event, checks its source against the token of its subject,
// and redacts it if that is not done.
func (p *prepared) admit(ev *entry.Event, token string, raw []byte, redacted bool) error {
	if err := ev.By(p.rules); err != nil {
		return err
	}
	if err := checkToken(*ev, token); err != nil || p.redact == nil || redacted {
		return err
	}
	return ev.Redact(p.redact, raw)
}

// records reads a message in the format of ingest, or takes what ingest has parsed of it.
func (p *prepared) records(id identity) {
	list, ok := []inbox.EventRecord(nil), false
	if id.handed != nil {
		list, ok = id.handed(p.msg, p.rules, p.redact)
	}
	if !ok {
		var err error
		if list, err = inbox.ParseRecords(p.msg.Data); err != nil {
			p.refuse(err)
			return
		}
	}
	p.items = make([]item, 0, len(list)+1)
	for i := range list {
		r := &list[i]
		p.checkPublisher(r)
		whole := r.Record.Event
		if whole == nil {
			whole = r.Raw
		}
		p.add(r, "", whole)
	}
}

// checkPublisher refuses a record that claims what only the subject of a message shows.
func (p *prepared) checkPublisher(r *inbox.EventRecord) {
	if p.rules >= ruleset.Blinding && strings.HasPrefix(r.Record.Publisher, subject.Publisher("")) {
		r.Err, r.Record = errPublisher, inbox.Record{}
	}
}

// services reads a message that a service of a role published (docs/SPEC-rules4.md, 5).
func (p *prepared) services(role string) {
	parts, err := inbox.Split(p.msg.Data)
	if err != nil {
		p.refuse(err)
		return
	}
	p.items = make([]item, 0, len(parts))
	for _, raw := range parts {
		r := inbox.EventRecord{Raw: raw}
		if r.Record, r.Err = inbox.ParseRecord(raw); r.Err != nil {
			r.Record = inbox.Record{}
		}
		p.checkPublisher(&r)
		p.items = append(p.items, p.serviceItem(&r, role))
	}
}

func (p *prepared) serviceItem(r *inbox.EventRecord, role string) item {
	src, whole := p.source, r.Record.Event
	src.Position, src.Publisher = uint64(len(p.items)), r.Record.Publisher
	if r.Err != nil {
		return item{draft: draft.Rejected(src, r.Err, r.Raw, p.msg.Subject)}
	}
	kind, detail, text, err := entry.Message{Data: whole}.Service(role)
	if err != nil {
		return item{draft: draft.Rejected(src, err, whole, p.msg.Subject)}
	}
	return item{draft: draft.Service(src, kind, detail, text), service: &refusable{src, whole}}
}

func checkToken(ev entry.Event, token string) error {
	if token != "" && subject.AgentToken(ev.Source) != token {
		return errToken
	}
	return nil
}

// add appends the event at the next position, or the rejected entry in its place. raw is the
// "whole" of SPEC 5.2.
func (p *prepared) add(r *inbox.EventRecord, token string, raw []byte) {
	src, err := p.source, r.Err
	src.Position, src.Publisher = uint64(len(p.items)), cmp.Or(r.Record.Publisher, src.Publisher)
	if err == nil {
		err = p.admit(&r.Event, token, raw, r.Redacted)
	}
	if err != nil {
		p.items = append(p.items, item{draft: draft.Rejected(src, err, raw, p.msg.Subject)})
		return
	}
	p.seal(src, r.Event, func(src draft.Source, err error) draft.Draft {
		return draft.Rejected(src, err, raw, p.msg.Subject)
	})
}

// seal appends the draft of an event. From ruleset.Blinding on, an event may turn out to be too
// large here: it is refused unless it is a repeat.
func (p *prepared) seal(src draft.Source, ev entry.Event, refuse func(draft.Source, error) draft.Draft) {
	it := item{draft: draft.Event(src, ev)}
	if p.rules >= ruleset.Blinding {
		if err := ev.Fits(p.rules); err != nil {
			src.Altered = ev.Altered()
			d := refuse(src, err)
			it.refused = &d
		}
	}
	it.key = claimKey(it.draft.Claim())
	it.fingerprint = windowKey(it.draft.Fingerprint())
	p.items = append(p.items, it)
}

// claimKey returns the window key of (source, id).
func claimKey(source, id string) windowKey {
	buf := make([]byte, 0, 256)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(source)))
	buf = append(buf, source...)
	buf = append(buf, id...)
	return windowKey(sha256.Sum256(buf))
}
