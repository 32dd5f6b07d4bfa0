package entry

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealstream/sealstream/pkg/redact"
)

// Redaction rules in a config (SPEC 13.1), and lists of what was redacted, as the attribute redactions hands them on (SPEC 13.4).

func appendRedaction(dst []byte, r *redact.Rules) []byte {
	o := beginObject(dst)
	o.str("hash", r.Hash)
	if len(r.Names) > 0 {
		o.name("names")
		o.dst = append(o.dst, '[')
		for i, n := range r.Names {
			o.dst = comma(o.dst, i)
			in := beginObject(o.dst)
			in.text("kind", n.Kind)
			in.text("name", n.Name)
			o.dst = in.end()
		}
		o.dst = append(o.dst, ']')
	}
	if len(r.Rules) > 0 {
		o.name("patterns")
		o.dst = append(o.dst, '[')
		for i, p := range r.Rules {
			o.dst = comma(o.dst, i)
			in := beginObject(o.dst)
			in.str("contains", p.Contains)
			in.text("kind", p.Kind)
			in.text("match", p.Match)
			o.dst = in.end()
		}
		o.dst = append(o.dst, ']')
	}
	if len(r.Private) > 0 {
		o.strings("private_fields", r.Private)
	}
	o.num("set", r.Set)
	return o.end()
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

func redactionMember(r *redact.Rules, name string, v []byte) (err error) {
	switch name {
	case "hash":
		r.Hash, err = unquote(v)
	case "names":
		err = walkArray(v, func(v []byte) error {
			var n redact.Name
			err := textMembers(v, map[string]*string{"kind": &n.Kind, "name": &n.Name})
			r.Names = append(r.Names, n)
			return err
		})
	case "patterns":
		err = walkArray(v, func(v []byte) error {
			var p redact.Pattern
			err := textMembers(v, map[string]*string{"contains": &p.Contains, "kind": &p.Kind, "match": &p.Match})
			r.Rules = append(r.Rules, p)
			return err
		})
	case "private_fields":
		err = walkArray(v, func(v []byte) error {
			s, err := unquote(v)
			r.Private = append(r.Private, s)
			return err
		})
	case "set":
		r.Set, err = integer(v)
	default:
		err = errMember
	}
	return err
}

// textMembers reads an object whose members are strings.
func textMembers(v []byte, members map[string]*string) error {
	return walkObject(v, func(name string, v []byte) (err error) {
		p := members[name]
		if p == nil {
			return errMember
		}
		*p, err = unquote(v)
		return err
	})
}

// AttributeRedactions is the attribute in which SDK and ingest say what they have redacted.
const AttributeRedactions = "redactions"

const (
	maxRedactions    = 32
	maxRedactionPath = 128
	moreRedactions   = "more" // kind of what stands for those that were left out
)

// shorten makes a list fit for a leaf: each kind and path once, in order, and not too many.
func shorten(list []Redaction) []Redaction {
	var short []Redaction
	for _, r := range list {
		r.Path = clip(r.Path, maxRedactionPath)
		if slices.Contains(short, r) {
			continue
		}
		if len(short) == maxRedactions-1 {
			return append(short, Redaction{Kind: moreRedactions})
		}
		short = append(short, r)
	}
	return short
}

// formatRedactions is the value of the attribute; parseRedactions takes nothing but what it writes.
func formatRedactions(list []Redaction) string {
	for {
		var b strings.Builder
		for i, r := range list {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(r.Kind + ":" + PercentEncode(r.Path))
		}
		if b.Len() <= MaxAttributeBytes {
			return b.String()
		}
		list = append(slices.Clone(list[:max(len(list)-2, 0)]), Redaction{Kind: moreRedactions})
	}
}

func parseRedactions(value string) ([]Redaction, bool) {
	var list []Redaction
	for item := range strings.SplitSeq(value, " ") {
		kind, path, ok := strings.Cut(item, ":")
		decoded, err := percentDecode(path)
		if !ok || err != nil || !redact.IsMark(redact.Mark(kind)) || !utf8.ValidString(decoded) || badRune(decoded) >= 0 {
			return nil, false
		}
		list = append(list, Redaction{kind, decoded})
	}
	return list, slices.Equal(shorten(list), list) && formatRedactions(list) == value
}

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

// TakeRedactions takes the attribute redactions, if it is one, into Redactions.
func (e *Event) TakeRedactions() {
	if value, ok := e.Extensions[AttributeRedactions]; ok {
		if list, ok := parseRedactions(value); ok {
			e.Redactions = append(list, e.Redactions...)
			delete(e.Extensions, AttributeRedactions)
		}
	}
}

// GiveRedactions is the inverse, for those who hand the event on: what Redactions says is then an attribute.
func (e *Event) GiveRedactions() {
	if len(e.Redactions) == 0 {
		return
	}
	if e.Extensions == nil {
		e.Extensions = make(map[string]string, 1)
	}
	e.Extensions[AttributeRedactions] = formatRedactions(e.Redactions)
	e.Redactions = nil
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

// rejectedLook is how much of refused bytes is looked at, so that a secret which the 4,096th byte cuts in two is seen.
const rejectedLook = 4 * MaxRejectedBytes

// redactRejected is what a rejected entry keeps of the whole (SPEC 13.5): redacted, then cut. It names the kinds.
func redactRejected(s *redact.Set, whole []byte) ([]byte, []Redaction) {
	look := whole[:min(len(whole), rejectedLook)]
	out, list := redactBytes(s, look, len(look) == len(whole), "")
	if list == nil && !utf8.Valid(look) { // it may be text but for a byte
		var kinds []string
		out, kinds = s.Text(look)
		for _, k := range kinds {
			list = append(list, Redaction{Kind: k})
		}
	}
	if list == nil && hiddenByEscapes(s, look) {
		out, list = []byte(redact.Mark("escaped")), []Redaction{{Kind: "escaped"}}
	}
	return out[:min(len(out), MaxRejectedBytes)], shorten(list)
}

// redact takes out of the detail what the whole may have brought into it: reasons quote the text at fault, up to a length at which a secret is not
// known any more by its form.
func (d *Rejected) redact(s *redact.Set, whole []byte) {
	if s.May(whole) {
		d.Reason = clip(unquoted(d.Reason), 256)
		if checkAttribute(d.Field, "") != nil && d.Field != "" {
			d.Field = redact.Mark("name")
		}
	}
	for _, text := range []*string{&d.Reason, &d.Field, &d.Subject} {
		if out, kinds := s.Text([]byte(*text)); kinds != nil {
			*text = clip(string(out), 256)
		}
	}
}

// unquoted puts a mark in place of each part of a text that stands in double quotes; one that is cut off goes to the end.
func unquoted(reason string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(reason, `"`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		b.WriteString(redact.Mark("quoted"))
		i := 0
		for i < len(rest) && rest[i] != '"' {
			if rest[i] == '\\' {
				i++
			}
			i++
		}
		if i >= len(rest) {
			return b.String()
		}
		reason = rest[i+1:]
	}
}

// digestSalt is the salt of a rejected entry's digest where it is not that of the data (SPEC 13.5): it is not published.
func digestSalt(secret []byte, id string, digest [32]byte) Hash {
	mac := hmac.New(sha256.New, secret)
	writeLP(mac, []byte(TypeRejected+".digest"))
	writeLP(mac, []byte(id))
	writeLP(mac, digest[:])
	return sum(mac)
}

// hiddenByEscapes says whether the escapes of JSON that is none hide something.
func hiddenByEscapes(s *redact.Set, b []byte) bool {
	var plain []byte
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			if b[i+1] == '/' {
				continue
			}
			var c byte
			if n, _ := fmt.Sscanf(string(b[i:min(len(b), i+6)]), `\u00%02x`, &c); n == 1 && i+6 <= len(b) {
				plain, i = append(plain, c), i+5
				continue
			}
		}
		plain = append(plain, b[i])
	}
	if len(plain) == len(b) {
		return false
	}
	_, kinds := s.Text(plain)
	return kinds != nil
}
