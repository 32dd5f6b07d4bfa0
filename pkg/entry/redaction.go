package entry

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/redactions"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Redact takes out of the event what a set finds in attributes and data (SPEC 13.2). It fills
// Redactions with what the attribute redactions says was taken out before, and with what it found
// itself. Redacting again changes nothing. The event must have been parsed or checked.
//
// raw is the text that the event was parsed from, or nil. With it, an event in which nothing can be
// found costs little. The error is a *FieldError if the event has become too large.
func (e *Event) Redact(s *redact.Set, raw []byte) error {
	if raw != nil && len(s.Private()) == 0 && e.Extensions[attributeRedactions] == "" && !s.May(raw) {
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
	found := len(e.Redactions) > before
	e.Redactions = redactions.Shorten(e.Redactions)
	e.EventType = ruleset.EventType(e.Type)
	if e.rules >= ruleset.Blinding {
		if found {
			e.alter()
		}
		return nil
	}
	e.shorten(ruleset.Binding)
	if n := e.widest(ruleset.Binding); n > ruleset.MaxLeafBytes {
		return fault("", "redacted, the attributes make a leaf of up to %d bytes, more than %d", n, ruleset.MaxLeafBytes)
	}
	return nil
}

// shorten replaces the list of what was redacted by one element if the leaf would be too long with
// it.
func (e *Event) shorten(rules uint64) {
	if e.widest(rules) > ruleset.MaxLeafBytes {
		e.Redactions = []redact.Finding{{Kind: redactions.More}}
	}
}

// alter notes that something was found from ruleset.Blinding on. What would let a reader try
// guesses of it goes: signature, foreign material and action salt (rules 4: 4.4).
func (e *Event) alter() {
	e.altered, e.Signature = true, ""
	delete(e.Extensions, attributeMaterial)
	delete(e.Extensions, attributeActionSalt)
	e.shorten(ruleset.Blinding)
}

// attributeRedactions is the attribute in which SDK and ingest say what they have redacted.
const attributeRedactions = "redactions"

// kept reports whether an attribute is not redacted, because its form leaves no room for a secret.
func kept(name string) bool {
	switch name {
	case "time",
		"agentseq",
		"agentprev",
		"agentsignature",
		"action",
		"outcome",
		"traceparent",
		"datasalt",
		"specversion",
		attributeRedactions:
		return true
	}
	return false
}

// keptBlinded reports whether an attribute is not redacted from ruleset.Blinding on (rules 4: 4.4).
func keptBlinded(name, value string) bool {
	switch name {
	case attributeMaterial:
		_, err := base64.StdEncoding.Strict().DecodeString(value)
		return err == nil
	case attributeActionSalt:
		_, err := ParseHash(value)
		return err == nil
	case "agentkey", "actiondigest", "approvalgrant":
		return leaves(name, value)
	case "signedextattrs":
		return strings.Trim(value, "abcdefghijklmnopqrstuvwxyz0123456789,") == ""
	}
	return false
}

func (e *Event) redactAttributes(s *redact.Set) {
	var names []string
	for name, value := range e.Attributes() {
		if !kept(name) && !(e.rules >= ruleset.Blinding && keptBlinded(name, value)) {
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
			e.Redactions = append(e.Redactions, redact.Finding{Kind: k, Path: "/" + name})
		}
		redacted := string(out)
		if len(redacted) > ruleset.MaxAttributeBytes {
			redacted = redact.Mark(kinds[0])
		}
		if own != nil {
			*own = redacted
		} else {
			e.Extensions[name] = redacted
		}
	}
}

// hide moves private attributes into the payload: data becomes {"private": {name: value, ...},
// "data": the JSON text before}; text that is not JSON is a string there, and bytes that are not
// text are left out of it (SPEC 13.3).
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
	o := canonical.BeginObject(nil)
	if e.HasData {
		switch {
		case ruleset.IsJSON(e.Extensions["datacontenttype"]) && canonical.CheckJSON(e.Data, ruleset.MaxDepth-1) == nil:
			o.Name("data")
			o.Dst = append(o.Dst, e.Data...)
		case utf8.Valid(e.Data):
			o.Text("data", string(e.Data))
		default:
			o.Data(e.Data)
		}
	}
	o.Optional("datacontenttype", e.Extensions["datacontenttype"])
	o.TextMap("private", found)
	if out := o.End(); len(out) <= ruleset.MaxDataBytes {
		e.Data, e.HasData, e.rawJSON = out, true, true
		delete(e.Extensions, "datacontenttype")
	} else {
		e.Redactions = append(e.Redactions, redact.Finding{Kind: "private", Path: "/data"})
	}
	for _, name := range private {
		if _, ok := found[name]; ok {
			e.Redactions = append(e.Redactions, redact.Finding{Kind: "private", Path: "/" + name})
		}
	}
}

func (e *Event) redactData(s *redact.Set) {
	if !e.HasData || len(e.Data) == 0 {
		return
	}
	out, list := redactions.Bytes(s, e.Data, e.rawJSON || ruleset.IsJSON(e.Extensions["datacontenttype"]), "/data")
	if list == nil {
		return
	}
	if e.Redactions = append(e.Redactions, list...); len(out) > ruleset.MaxDataBytes {
		if out = []byte(redact.Mark(list[0].Kind)); e.rawJSON {
			out = canonical.AppendString(nil, out)
		}
	}
	e.Data = out
}

// TakeRedactions moves the attribute redactions into Redactions, if its value is valid.
func (e *Event) TakeRedactions() {
	if value, ok := e.Extensions[attributeRedactions]; ok {
		if list, ok := redactions.Parse(value); ok {
			e.Redactions = append(list, e.Redactions...)
			delete(e.Extensions, attributeRedactions)
		}
	}
}

// GiveRedactions moves Redactions into the attribute redactions, for a sender that hands the event
// on.
func (e *Event) GiveRedactions() {
	if len(e.Redactions) == 0 {
		return
	}
	if e.Extensions == nil {
		e.Extensions = make(map[string]string, 1)
	}
	e.Extensions[attributeRedactions] = redactions.Format(e.Redactions)
	e.Redactions = nil
}
