package filesink

import (
	"crypto/hmac"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/sink"
)

// mark is a position in a file, at its start or after a line.
type mark struct {
	Size    int64       `json:"bytes"`
	Lines   uint64      `json:"lines"`
	Cursor  sink.Cursor `json:"cursor"`
	Content string      `json:"content_hash,omitempty"` // of the last line; "" at the start of the file
	Key     string      `json:"key_id,omitempty"`       // key that signed the last line
	Closed  bool        `json:"closed,omitempty"`       // the last line is a closing record: nothing may follow
}

// walk checks the lines of files in the order of the log.
type walk struct {
	ring  Ring // empty if signatures are not checked
	at    mark // after the last line
	loose bool // the first entry may have any index, because what was before it is not known
}

// begin continues with another file.
func (w *walk) begin() { w.at = mark{Cursor: w.at.Cursor} }

var (
	errClosedFile = errors.New("a line after the closing record")
	errForeign    = errors.New("not a line of this sink")
	errKeyID      = errors.New("its key is not one of the given keys")
)

// take checks a line, given without its line feed, and returns its record, or nil for a closing
// record.
func (w *walk) take(raw []byte) (*sink.Record, error) {
	if w.at.Closed {
		return nil, errClosedFile
	}
	v, err := agt.Parse(raw)
	if err != nil {
		return nil, err
	}
	if v.Kind != agt.Object || !isOurs(v) {
		return nil, errForeign
	}
	r, err := record(v)
	if err != nil {
		return nil, err
	}
	var l line
	if r != nil {
		l, err = w.entry(*r)
	} else {
		l, err = w.closing(v)
	}
	if err != nil {
		return nil, err
	}
	if err := w.compare(&l, v, raw); err != nil {
		return nil, err
	}
	w.at.Size += int64(len(raw)) + 1
	w.at.Lines++
	w.at.Content, w.at.Key, w.at.Closed = l.content, text(v, "key_id"), r == nil
	if r != nil {
		w.at.Cursor = sink.Of(&r.Entry)
	}
	return r, nil
}

// entry returns the line that an entry must have here.
func (w *walk) entry(r sink.Record) (line, error) {
	if w.loose {
		w.loose, w.at.Cursor = false, sink.Cursor{Next: r.Entry.Index, Hash: r.Entry.PreviousHash.String()}
	}
	if err := sink.CheckRecord(w.at.Cursor, r, ""); err != nil {
		if bad, ok := errors.AsType[*sink.InvalidError](err); ok {
			return line{}, errors.New(bad.Why)
		}
		return line{}, err
	}
	return newLine(r, w.at.Content)
}

// compare builds the line again and compares it. So the line contains nothing that does not follow
// from the entry and the key.
func (w *walk) compare(l *line, v agt.Value, raw []byte) error {
	if previous := text(v, "previous_hash"); previous != w.at.Content {
		return fmt.Errorf("chain break: it names %.80q as the content hash before it, which is %q", previous, w.at.Content)
	}
	if got := text(v, "content_hash"); got != l.content {
		return fmt.Errorf("content hash mismatch: %.80q, and the content has %q", got, l.content)
	}
	id := text(v, "key_id")
	k := w.ring.find(id)
	switch {
	case k == nil && len(w.ring) > 0:
		return fmt.Errorf("%w: it was signed with %.40q", errKeyID, id)
	case k == nil: // signature and mac cannot be checked
		return members(l.append(nil, Key{ID: id}.signer()), v)
	}
	want := l.append(nil, k.signer())
	if hmac.Equal(want[:len(want)-1], raw) {
		return nil
	}
	if text(v, "signature") != agt.Sign(k.Secret, l.content) {
		return errors.New("HMAC signature invalid")
	}
	if err := members(want, v); err != nil {
		return err
	}
	return errors.New("mac invalid")
}

// members compares a line with the expected one, except for the values that need the key.
func members(want []byte, got agt.Value) error {
	w, err := agt.Parse(want)
	if err != nil {
		return err
	}
	for i, m := range w.Members {
		switch {
		case i >= len(got.Members) || got.Members[i].Name != m.Name:
			return fmt.Errorf("the member %q is missing or in another place", m.Name)
		case m.Name != "signature" && m.Name != "mac" && m.Value.Raw() != got.Members[i].Value.Raw():
			return fmt.Errorf("the member %q differs from the leaf", m.Name)
		}
	}
	if len(got.Members) > len(w.Members) {
		return errors.New("the line has an additional member at its end")
	}
	return nil
}

// Fields of a closing record, the line that ends a file. It is also a valid record of the toolkit,
// so that the toolkit's verifier accepts it.
const (
	typeClosed  = ruleset.OwnPrefix + "sink.closed"
	agentClosed = "urn:sealstream:sink"
)

// closing returns the closing record that must be here, with the time of a line.
func (w *walk) closing(v agt.Value) (line, error) {
	if text(v, "event_type") != typeClosed {
		return line{}, errors.New("neither an entry nor a closing record")
	}
	return closingLine(w.at, text(v, "timestamp"))
}

func closingLine(at mark, when string) (line, error) {
	data := fmt.Appendf(nil, `{"bytes": %d, "entry_hash": %q, "lines": %d, "next_index": %d}`,
		at.Size, at.Cursor.Hash, at.Lines, at.Cursor.Next)
	l := line{data: data, toolkit: agt.Record{
		EntryID:      fmt.Sprintf("closed-%d", at.Cursor.Next),
		Timestamp:    when,
		EventType:    typeClosed,
		AgentDID:     agentClosed,
		Action:       "audit",
		Data:         data,
		Outcome:      "success",
		PreviousHash: at.Content,
	}}
	var err error
	l.content, err = agt.ContentHash(l.toolkit)
	return l, err
}
