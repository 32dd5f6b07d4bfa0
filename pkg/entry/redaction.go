package entry

import (
	"slices"
	"unicode/utf8"

	"github.com/sealstream/sealstream/pkg/redact"
)

// Redact takes out of the event what a set says (SPEC 13.2), in attributes and data, and fills Redactions: what an attribute redactions says was taken out before,
// and what was found now. Redacting again changes nothing. The event is one that was parsed or checked; an error says that it has become too large. raw, if it is not nil, is the text that the event was parsed
// from: where nothing can be in it, nothing is looked at.
func (e *Event) Redact(s *redact.Set, raw []byte) error {
	if raw != nil && len(s.Private()) == 0 && e.Extensions[AttributeRedactions] == "" && !s.May(raw) {
		return nil
	}
	e.TakeRedactions()
	before := len(e.Redactions)
	e.redactAttributes(s)
	e.hide(s.Private())
	e.redactData(s)
	if len(e.Redactions) == before && len(e.Redactions) == 0 {
		return nil
	}
	e.Redactions = shorten(e.Redactions)
	e.EventType = EventType(e.Type)
	if e.widest() > MaxLeafBytes {
		e.Redactions = []Redaction{{Kind: moreRedactions}}
	}
	if n := e.widest(); n > MaxLeafBytes {
		return fault("", "redacted, the attributes make a leaf of up to %d bytes, more than %d", n, MaxLeafBytes)
	}
	return nil
}

// kept are the attributes that are not redacted: those of a form of their own, in which no secret fits.
func kept(name string) bool {
	switch name {
	case "time", "agentseq", "agentprev", "agentsignature", "action", "outcome", "traceparent", "datasalt", "specversion", AttributeRedactions:
		return true
	}
	return false
}

func (e *Event) redactAttributes(s *redact.Set) {
	var names []string
	for name := range e.Attributes() {
		if !kept(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		own := e.text(name)
		value := e.Extensions[name]
		if own != nil {
			value = *own
		}
		out, kinds := s.Value(name, []byte(value))
		if kinds == nil {
			continue
		}
		for _, k := range kinds {
			e.Redactions = append(e.Redactions, Redaction{k, "/" + name})
		}
		redacted := string(out)
		if len(redacted) > MaxAttributeBytes {
			redacted = redact.Mark(kinds[0])
		}
		if own != nil {
			*own = redacted
		} else {
			e.Extensions[name] = redacted
		}
	}
}

// hide moves private attributes into the payload: data becomes {"private": {name: value, ...}, "data": the JSON text before}; text that is not JSON is a string there, and
// bytes that are not text are left out of it (SPEC 13.3).
func (e *Event) hide(private []string) {
	found := map[string]string{}
	for _, name := range private {
		if own := e.text(name); own != nil {
			if *own != "" {
				found[name], *own = *own, ""
			}
		} else if value, ok := e.Extensions[name]; ok {
			found[name] = value
			delete(e.Extensions, name)
		}
	}
	if len(found) == 0 {
		return
	}
	o := beginObject(nil)
	if e.HasData {
		switch {
		case isJSON(e.Extensions["datacontenttype"]) && CheckJSON(e.Data, MaxDepth-1) == nil:
			o.name("data")
			o.dst = append(o.dst, e.Data...)
		case utf8.Valid(e.Data):
			o.text("data", string(e.Data))
		default:
			o.appendPayloadData(e.Data)
		}
	}
	o.str("datacontenttype", e.Extensions["datacontenttype"])
	o.stringMap("private", found)
	if out := o.end(); len(out) <= MaxDataBytes {
		e.Data, e.HasData, e.rawJSON = out, true, true
		delete(e.Extensions, "datacontenttype")
	} else {
		e.Redactions = append(e.Redactions, Redaction{Kind: "private", Path: "/data"})
	}
	for _, name := range private {
		if _, ok := found[name]; ok {
			e.Redactions = append(e.Redactions, Redaction{"private", "/" + name})
		}
	}
}

func (e *Event) redactData(s *redact.Set) {
	if !e.HasData || len(e.Data) == 0 {
		return
	}
	out, list := redactBytes(s, e.Data, e.rawJSON || isJSON(e.Extensions["datacontenttype"]), "/data")
	if list == nil {
		return
	}
	if e.Redactions = append(e.Redactions, list...); len(out) > MaxDataBytes {
		if out = []byte(redact.Mark(list[0].Kind)); e.rawJSON {
			out = appendString(nil, out)
		}
	}
	e.Data = out
}

// redactBytes redacts JSON text, or other text; what is no UTF-8 is left alone.
func redactBytes(s *redact.Set, b []byte, json bool, path string) ([]byte, []Redaction) {
	var list []Redaction
	if json && CheckJSON(b, MaxDepth) == nil {
		out, found := s.JSON(b, path)
		for _, f := range found {
			list = append(list, Redaction(f))
		}
		return out, list
	}
	if !utf8.Valid(b) {
		return b, nil
	}
	out, kinds := s.Text(b)
	for _, k := range kinds {
		list = append(list, Redaction{k, path})
	}
	return out, list
}
