package entry

// EventRecord is one element of ingest's own EVENTS messages, read.
type EventRecord struct {
	Raw    []byte // the element
	Record Record // Event is nil if the record itself is refused
	Event  Event
	Err    error // why the event, or the record, is refused: a *FieldError
}

// ParseRecords reads the body of ingest's own EVENTS message (SPEC 4): SplitBatch, ParseRecord and ParseEvent in one pass where the text has the usual
// form. An error concerns the whole; that of one element stands with it. Events, their data too, are parts of body.
func ParseRecords(body []byte) ([]EventRecord, error) {
	if list, ok := readRecords(body); ok {
		return list, nil
	}
	parts, err := SplitBatch(body)
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
	r.Event, r.Err = ParseEvent(r.Record.Event)
	return r
}

// readRecords is the one pass; false says nothing but that ParseRecords must look.
func readRecords(body []byte) ([]EventRecord, bool) {
	f := newFastScanner(body)
	defer f.free()
	if !f.byte('[') {
		return nil, false
	}
	f.texts.size = min(len(body), 8192)
	list := make([]EventRecord, 0, min(MaxMessageEvents, 1+len(body)/512))
	for {
		f.space()
		start := f.i
		r, ok := f.record()
		if !ok { // this element is unusual; the others may not be
			f.i, f.names = start, f.names[:0]
			if !f.value(fastLimit) {
				return nil, false
			}
			r = parseRecord(body[start:f.i:f.i])
		}
		r.Raw = body[start:f.i:f.i]
		if list = append(list, r); len(list) > MaxMessageEvents {
			return nil, false
		}
		if !f.byte(',') {
			break
		}
	}
	if !f.byte(']') {
		return nil, false
	}
	f.space()
	return list, f.i == len(f.s)
}

// record takes {"event": EVENT, "publisher": STRING}, in that order, the latter optional.
func (f *fastScanner) record() (r EventRecord, ok bool) {
	if !f.byte('{') || !f.name(0) || string(f.names[0]) != "event" || !f.byte(':') {
		return r, false
	}
	f.space()
	start := f.i
	var e Event
	if !e.scan(f) {
		return r, false
	}
	r.Record.Event = f.s[start:f.i:f.i]
	if f.byte(',') {
		if !f.name(0) || string(f.names[1]) != "publisher" || !f.byte(':') {
			return r, false
		}
		f.space()
		publisher, escaped, ok := f.text()
		if r.Record.Publisher = string(publisher); !ok || escaped || !ValidPublisher(r.Record.Publisher) {
			return r, false
		}
	}
	f.names = f.names[:0]
	if !f.byte('}') {
		return r, false
	}
	if r.Err = e.finish(); r.Err == nil {
		r.Event = e
	}
	return r, true
}

// splitFast is SplitBatch in one pass; false says nothing but that the general parser must look.
func splitFast(body []byte) ([][]byte, bool) {
	f := newFastScanner(body)
	defer f.free()
	if !f.byte('[') {
		return nil, false
	}
	list := make([][]byte, 0, 16)
	for {
		f.space()
		start := f.i
		if !f.value(fastLimit) || len(list) == MaxMessageEvents {
			return nil, false
		}
		list = append(list, body[start:f.i:f.i])
		if !f.byte(',') {
			break
		}
	}
	if !f.byte(']') {
		return nil, false
	}
	f.space()
	return list, f.i == len(f.s)
}
