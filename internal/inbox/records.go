package inbox

import (
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// EventRecord is one element of ingest's own EVENTS messages, read.
type EventRecord struct {
	Raw    []byte      // the element
	Record Record      // Event is nil if the record itself is refused
	Event  entry.Event // the zero value if Err is set
	Err    error       // why the event, or the record, is refused: a *FieldError
	// Redacted says that Event is redacted already, by the rules of its group. Only Handover.Take
	// sets it.
	Redacted bool
}

// ParseRecords reads the body of ingest's own EVENTS message (SPEC 4). It does what Split,
// ParseRecord and entry.ParseEvent do, in one pass if the text has the usual form. The error
// concerns the whole body. The error of one element is in its EventRecord. Events and their data
// are parts of body.
func ParseRecords(body []byte) ([]EventRecord, error) {
	if list, ok := readRecords(body); ok {
		return list, nil
	}
	parts, err := Split(body)
	if err != nil {
		return nil, err
	}
	list := make([]EventRecord, len(parts))
	for i, raw := range parts {
		list[i] = parseRecord(raw)
	}
	return list, nil
}

func parseRecord(raw []byte) EventRecord {
	r := EventRecord{Raw: raw}
	if r.Record, r.Err = ParseRecord(raw); r.Err != nil {
		return EventRecord{Raw: raw, Err: r.Err}
	}
	r.Event, r.Err = entry.ParseEvent(r.Record.Event)
	return r
}

// readRecords reads records of the usual form in one pass. If it returns false, ParseRecords must
// read them one by one.
func readRecords(body []byte) ([]EventRecord, bool) {
	s := canonical.NewScanner(body)
	defer s.Free()
	if !s.Byte('[') {
		return nil, false
	}
	s.Expect(min(len(body), 8192))
	list := make([]EventRecord, 0, min(ruleset.MaxMessageEvents, 1+len(body)/512))
	for {
		s.Space()
		start := s.Offset()
		r, ok := record(s)
		if !ok { // this element is unusual; the others may not be
			s.Back(start)
			if !s.Value(canonical.ScanLimit) {
				return nil, false
			}
			r = parseRecord(s.Since(start))
		}
		r.Raw = s.Since(start)
		if list = append(list, r); len(list) > ruleset.MaxMessageEvents {
			return nil, false
		}
		if !s.Byte(',') {
			break
		}
	}
	return list, s.Byte(']') && s.AtEnd()
}

// record takes {"event": EVENT, "publisher": STRING}, in that order, the latter optional.
func record(s *canonical.Scanner) (r EventRecord, ok bool) {
	outer, ok := s.Open()
	if name, named := s.Member(outer); !ok || !named || string(name) != "event" {
		return r, false
	}
	s.Space()
	start := s.Offset()
	var e entry.Event
	if ok, r.Err = e.Scan(s); !ok {
		return r, false
	}
	r.Record.Event = s.Since(start)
	if s.Byte(',') {
		if name, ok := s.Member(outer); !ok || string(name) != "publisher" {
			return r, false
		}
		s.Space()
		publisher, escaped, ok := s.Text()
		if r.Record.Publisher = string(publisher); !ok || escaped || !ruleset.ValidPublisher(r.Record.Publisher) {
			return r, false
		}
	}
	if !s.Close(outer) {
		return r, false
	}
	if r.Err == nil {
		r.Event = e
	}
	return r, true
}
