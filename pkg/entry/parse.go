package entry

import (
	"encoding/base64"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// ParseEvent reads one CloudEvent in the JSON format (SPEC 3.2, structured). Whether the event fits
// into a leaf (SPEC 3.5) depends on the rules of the log: see Event.By. Errors are *FieldError. The
// event's Data is a part of raw.
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

// parseStructured reads attributes and data. The caller checks what concerns the event as a whole.
func parseStructured(raw []byte) (Event, error) {
	var e Event
	if e.readFast(raw) {
		return e, nil
	}
	return parseGeneral(raw)
}

// parseGeneral reads any event. Its errors say what is wrong.
func parseGeneral(raw []byte) (Event, error) {
	var e Event
	var version bool
	var data, base64Data []byte
	err := canonical.WalkObject(raw, func(name string, value []byte) error {
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
		s, err = canonical.Unquote(value)
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
		return "", false, fault(canonical.Clip(name, 80), "neither a string nor a boolean nor an integer")
	}
	n, err := strconv.ParseInt(string(value), 10, 32)
	if err != nil {
		return "", false, fault(canonical.Clip(name, 80), "%.40q is not an integer of 32 bits; write it as a string", value)
	}
	return strconv.FormatInt(n, 10), true, nil
}

// ParseBinary reads a CloudEvent in the binary mode of the HTTP binding (SPEC 3.2). attributes
// yields names in lower case without "ce-", and values as received, percent-encoded. body is the
// data. With named, datacontenttype may be an attribute like any other, as over NATS. It then takes
// precedence over contentType. Data is a part of body.
//
// Errors are *FieldError. Of several invalid attributes, the error names the first in alphabetical
// order, so that the same headers always give the same error.
func ParseBinary(
	attributes iter.Seq2[string, string],
	contentType string,
	body []byte,
	named bool,
) (Event, error) {
	list := make([][2]string, 0, 16)
	for name, value := range attributes {
		list = append(list, [2]string{name, value})
	}
	slices.SortFunc(list, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	for i, a := range list[:max(len(list), 1)-1] {
		if a[0] == list[i+1][0] {
			return Event{}, fault(canonical.Clip(a[0], 80), "given more than once")
		}
	}
	var e Event
	version := false
	for _, a := range list {
		name := a[0]
		if name == "datacontenttype" && !named || name == "data" {
			return Event{}, fault(name, "not an attribute of binary mode")
		}
		v, err := canonical.PercentDecode(a[1])
		if err != nil {
			return Event{}, fault(canonical.Clip(name, 80), "%v", err)
		}
		if err := e.set(name, v); err != nil {
			return Event{}, err
		}
		version = version || name == "specversion"
	}
	if !version {
		return Event{}, fault("specversion", "required")
	}
	if contentType != "" && e.Extensions["datacontenttype"] == "" {
		if err := e.set("datacontenttype", contentType); err != nil {
			return Event{}, err
		}
	}
	if len(body) > 0 {
		if ruleset.IsJSON(e.Extensions["datacontenttype"]) {
			body = canonical.TrimSpace(body)
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

func (e *Event) dataBase64(value []byte) error {
	s, err := canonical.Unquote(value)
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
	if ruleset.IsJSON(e.Extensions["datacontenttype"]) {
		e.rawJSON = true
		if err := canonical.CheckDepth(value, ruleset.MaxDepth); err != nil {
			return fault("data", "%v", err)
		}
		e.Data, e.HasData = value, true // the walker has checked it
		return nil
	}
	s, err := canonical.Unquote(value)
	if err != nil {
		return fault("data", "must be a string where datacontenttype is %.80q", e.Extensions["datacontenttype"])
	}
	e.Data, e.HasData = []byte(s), true
	return nil
}

// data takes data bytes that are not checked yet.
func (e *Event) data(b []byte) error {
	if e.rawJSON {
		if len(b) > ruleset.MaxDataBytes {
			return fault("data", "%d bytes, more than %d", len(b), ruleset.MaxDataBytes)
		}
		if err := canonical.CheckJSON(b, ruleset.MaxDepth); err != nil {
			return fault("data", "%v", err)
		}
		b = canonical.TrimSpace(b)
	}
	e.Data, e.HasData = b, e.HasData || b != nil
	return nil
}

// AppendJSON appends the event in the JSON format. ParseEvent gives the same event again, data byte
// for byte.
func (e *Event) AppendJSON(dst []byte) []byte {
	o := canonical.BeginObject(dst)
	o.Text("specversion", "1.0")
	for name, value := range e.Attributes() {
		o.Text(name, value)
	}
	if e.HasData {
		if e.Salt != nil {
			o.Hex("datasalt", e.Salt[:])
		}
		o.Dst = e.appendData(o)
	}
	return o.End()
}

func (e *Event) appendData(o canonical.Object) []byte {
	if e.rawJSON {
		o.Name("data")
		return append(o.Dst, e.Data...)
	}
	// as text, controls would be six times as long
	if !ruleset.IsJSON(e.Extensions["datacontenttype"]) && canonical.IsText(e.Data) {
		o.Text("data", string(e.Data))
		return o.Dst
	}
	o.Name("data_base64")
	o.Dst = append(o.Dst, '"')
	o.Dst = base64.StdEncoding.AppendEncode(o.Dst, e.Data)
	return append(o.Dst, '"')
}

// SetJSON makes raw, a JSON text, the data of an event that is made in Go. Errors are *FieldError.
func (e *Event) SetJSON(raw []byte) error {
	if err := canonical.CheckJSON(raw, ruleset.MaxDepth); err != nil {
		return fault("data", "%v", err)
	}
	e.Data, e.HasData, e.rawJSON = canonical.TrimSpace(raw), true, true
	return nil
}

func asField(err error) error {
	if err == nil {
		return nil
	}
	if fe, ok := errors.AsType[*FieldError](err); ok {
		return fe
	}
	if me, ok := errors.AsType[*canonical.MemberError](err); ok {
		return &FieldError{Field: me.Name, Reason: me.Reason}
	}
	return &FieldError{Reason: err.Error()}
}
