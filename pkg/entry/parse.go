package entry

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseEvent reads one CloudEvent in the JSON format (SPEC 3.2, structured). Errors are *FieldError. Data is a part of raw.
func ParseEvent(raw []byte) (Event, error) {
	e, err := parseStructured(raw)
	if err == nil {
		err = e.finish()
	}
	if err != nil {
		return Event{}, err
	}
	return e, nil
}

// parseStructured reads attributes and data; what concerns the event as a whole is not checked yet.
func parseStructured(raw []byte) (Event, error) {
	var e Event
	if e.readFast(raw) {
		return e, nil
	}
	return parseGeneral(raw)
}

// parseGeneral reads any event, and says what is wrong with one that is none.
func parseGeneral(raw []byte) (Event, error) {
	var e Event
	var version bool
	var data, base64Data []byte
	err := walkObject(raw, func(name string, value []byte) error {
		switch name {
		case "data":
			data = value
			return nil
		case "data_base64":
			if value[0] != 'n' {
				base64Data = value
			}
			return nil
		case "specversion":
			version = true
		}
		s, present, err := attributeJSON(name, value)
		if err != nil || !present {
			return err
		}
		return e.set(name, s)
	})
	if err != nil {
		return Event{}, asField(err)
	}
	switch {
	case !version:
		return Event{}, fault("specversion", "required")
	case data != nil && base64Data != nil:
		return Event{}, fault("data", "both data and data_base64")
	case base64Data != nil:
		err = e.dataBase64(base64Data)
	case data != nil:
		err = e.dataJSON(data)
	}
	return e, err
}

// attributeJSON brings a JSON value into canonical string form (SPEC 3.1); null is absent.
func attributeJSON(name string, value []byte) (s string, present bool, err error) {
	switch value[0] {
	case '"':
		s, err = unquote(value)
		return s, err == nil, err
	case 'n':
		if name == "specversion" {
			return "", false, fault(name, "required")
		}
		return "", false, nil
	}
	switch name {
	case "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "datasalt":
		return "", false, fault(name, "not a string")
	}
	switch value[0] {
	case 't', 'f':
		return string(value), true, nil
	case '{', '[':
		return "", false, fault(clip(name, 80), "neither a string nor a boolean nor an integer")
	}
	n, err := strconv.ParseInt(string(value), 10, 32)
	if err != nil {
		return "", false, fault(clip(name, 80), "%.40q is not an integer of 32 bits; write it as a string", value)
	}
	return strconv.FormatInt(n, 10), true, nil
}

// ParseBinary reads a CloudEvent in binary mode (SPEC 3.2). attributes yields names in lower case without "ce-", and
// values as received, percent-encoded; body is the data. Errors are *FieldError. Data is a part of body.
func ParseBinary(attributes func(yield func(name, value string) bool), contentType string, body []byte) (Event, error) {
	var e Event
	seen := make(map[string]bool, 16)
	for name, value := range attributes {
		if seen[name] {
			return Event{}, fault(clip(name, 80), "given more than once")
		}
		seen[name] = true
		if name == "datacontenttype" || name == "data" {
			return Event{}, fault(name, "not an attribute of binary mode")
		}
		v, err := percentDecode(value)
		if err != nil {
			return Event{}, fault(clip(name, 80), "%v", err)
		}
		if err := e.set(name, v); err != nil {
			return Event{}, err
		}
	}
	if !seen["specversion"] {
		return Event{}, fault("specversion", "required")
	}
	if contentType != "" {
		if err := e.set("datacontenttype", contentType); err != nil {
			return Event{}, err
		}
	}
	if len(body) > 0 {
		if isJSON(e.Extensions["datacontenttype"]) {
			body = trimSpace(body)
			e.rawJSON = true
		}
		if err := e.data(body); err != nil {
			return Event{}, err
		}
	}
	if err := e.finish(); err != nil {
		return Event{}, err
	}
	return e, nil
}

// percentDecode undoes what the CloudEvents HTTP binding does to header values; a % that encodes nothing is an error.
func percentDecode(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errors.New("incomplete percent-encoding")
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("%.3q is no percent-encoding", s[i:])
		}
		b = append(b, byte(n))
		i += 2
	}
	return string(b), nil
}

// PercentEncode is the inverse that senders of binary mode use: space, ", % and all that is not printable ASCII.
func PercentEncode(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && c != '"' && c != '%' {
			b = append(b, c)
		} else {
			b = append(b, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
	return string(b)
}

func (e *Event) dataBase64(value []byte) error {
	s, err := unquote(value)
	if err != nil {
		return fault("data_base64", "%v", err)
	}
	if strings.ContainsAny(s, "\r\n") {
		return fault("data_base64", "line break in base64")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return fault("data_base64", "not base64 (RFC 4648 section 4, with padding)")
	}
	e.Data, e.HasData = b, true
	return nil
}

func (e *Event) dataJSON(value []byte) error {
	if isJSON(e.Extensions["datacontenttype"]) {
		e.rawJSON = true
		if err := checkDepth(value, MaxDepth); err != nil {
			return fault("data", "%v", err)
		}
		e.Data, e.HasData = value, true // the walker has checked it
		return nil
	}
	s, err := unquote(value)
	if err != nil {
		return fault("data", "must be a string where datacontenttype is %.80q", e.Extensions["datacontenttype"])
	}
	e.Data, e.HasData = []byte(s), true
	return nil
}

// data takes data bytes that are not checked yet.
func (e *Event) data(b []byte) error {
	if e.rawJSON {
		if len(b) > MaxDataBytes {
			return fault("data", "%d bytes, more than %d", len(b), MaxDataBytes)
		}
		if err := CheckJSON(b, MaxDepth); err != nil {
			return fault("data", "%v", err)
		}
		b = trimSpace(b)
	}
	e.Data, e.HasData = b, e.HasData || b != nil
	return nil
}

// IsJSON says whether a datacontenttype (SPEC 3.4), or its absence, stands for JSON text.
func IsJSON(contentType string) bool { return isJSON(contentType) }

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.Trim(media, " \t"))
	return media == "" || media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

func trimSpace(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

// ErrTooMany is returned for a batch of more than MaxMessageEvents events.
var ErrTooMany = fmt.Errorf("more than %d events", MaxMessageEvents)

// SplitBatch splits a JSON array into the raw text of its elements, parts of body. An empty array is an error.
func SplitBatch(body []byte) ([][]byte, error) {
	if events, ok := splitFast(body); ok {
		return events, nil
	}
	return splitGeneral(body)
}

func splitGeneral(body []byte) ([][]byte, error) {
	var events [][]byte
	err := walkArray(body, func(v []byte) error {
		if len(events) == MaxMessageEvents {
			return ErrTooMany
		}
		events = append(events, v)
		return nil
	})
	if err == nil && len(events) == 0 {
		err = errors.New("an empty batch")
	}
	if err != nil {
		return nil, err
	}
	return events, nil
}

// Record is one element of ingest's own EVENTS messages (SPEC 4).
type Record struct {
	Publisher string // the identity that ingest authenticated, or ""
	Event     []byte // structured
}

// ParseRecord reads a record; Event is a part of raw and not checked.
func ParseRecord(raw []byte) (r Record, err error) {
	err = walkObject(raw, func(name string, value []byte) error {
		switch name {
		case "event":
			r.Event = value
			return nil
		case "publisher":
			s, err := unquote(value)
			if err == nil && !ValidPublisher(s) {
				err = errors.New("not 1 to 256 characters of printable ASCII without quote and backslash")
			}
			if err != nil {
				return fault("publisher", "%v", err)
			}
			r.Publisher = s
			return nil
		}
		return fault(clip(name, 80), "no member of a record")
	})
	if err == nil && r.Event == nil {
		err = fault("event", "required")
	}
	return r, asField(err)
}

// AppendRecord is the inverse of ParseRecord.
func AppendRecord(dst []byte, r Record) []byte {
	dst = append(dst, `{"event":`...)
	dst = append(dst, r.Event...)
	if r.Publisher != "" {
		dst = append(dst, `,"publisher":`...)
		dst = appendString(dst, r.Publisher)
	}
	return append(dst, '}')
}

// ValidPublisher holds the form of SPEC 4.
func ValidPublisher(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= MaxPublisherBytes
}

// AppendJSON writes the event in the JSON format, so that ParseEvent gives the same event again, data byte for byte.
func (e *Event) AppendJSON(dst []byte) []byte {
	o := beginObject(dst)
	o.text("specversion", "1.0")
	for name, value := range e.Attributes() {
		o.text(name, value)
	}
	if e.HasData {
		if e.Salt != nil {
			o.text("datasalt", FormatHash(*e.Salt))
		}
		o.dst = e.appendData(o)
	}
	return o.end()
}

func (e *Event) appendData(o object) []byte {
	if e.rawJSON {
		o.name("data")
		return append(o.dst, e.Data...)
	}
	if !isJSON(e.Extensions["datacontenttype"]) && IsText(e.Data) { // as text, controls would be six times as long
		o.text("data", string(e.Data))
		return o.dst
	}
	o.name("data_base64")
	o.dst = append(o.dst, '"')
	o.dst = base64.StdEncoding.AppendEncode(o.dst, e.Data)
	return append(o.dst, '"')
}

// SetJSON makes raw the event's data as JSON text; for events that are made in Go.
func (e *Event) SetJSON(raw []byte) error {
	if err := CheckJSON(raw, MaxDepth); err != nil {
		return fault("data", "%v", err)
	}
	e.Data, e.HasData, e.rawJSON = trimSpace(raw), true, true
	return nil
}

func asField(err error) error {
	if err == nil {
		return nil
	}
	if fe, ok := errors.AsType[*FieldError](err); ok {
		return fe
	}
	return &FieldError{Reason: err.Error()}
}
