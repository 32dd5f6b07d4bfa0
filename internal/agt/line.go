package agt

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Errors of a line of a trail.
var (
	ErrLine      = errors.New("not a line of a trail")
	ErrContent   = errors.New("content hash mismatch: the line was altered")
	ErrSignature = errors.New("HMAC signature invalid: the line was altered, or signed with another key")
)

// Line is one line of the toolkit's file sink.
type Line struct {
	Record
	ContentHash, Signature string // as the line states them
	// names of the members that neither covers, in alphabetical order; null ones only if they are
	// not the toolkit's own
	Unsigned []string
	Unusual  bool // not written as the toolkit writes it, though with the same values
}

// ParseLine parses a line. It checks neither hash nor signature: see Check.
func ParseLine(raw []byte) (Line, error) {
	v, err := Parse(raw)
	if err != nil {
		return Line{}, err
	}
	if v.Kind != Object {
		return Line{}, fmt.Errorf("%w: no object", ErrLine)
	}
	var l Line
	f := fields{of: v, known: map[string]bool{}}
	l.Record = f.record()
	l.ContentHash, l.Signature, l.PreviousHash = f.text("content_hash"), f.text("signature"), f.text("previous_hash")
	context := []struct {
		name  string
		value **string
	}{{"compute_driver", &l.ComputeDriver}, {"environment", &l.Environment}, {"sandbox_id", &l.SandboxID}}
	there := slices.ContainsFunc(context, func(c struct {
		name  string
		value **string
	}) bool {
		return v.Get(c.name) != nil
	})
	for _, c := range context { // an older line has none of the three
		if there {
			*c.value = f.optional(c.name)
		}
		if *c.value != nil {
			l.Unsigned = append(l.Unsigned, c.name)
		}
	}
	if f.err != nil {
		return Line{}, f.err
	}
	for _, m := range v.Members {
		if !f.known[m.Name] {
			l.Unsigned = append(l.Unsigned, m.Name)
		}
	}
	slices.Sort(l.Unsigned)
	l.Unusual = string(v.Append(nil)) != strings.TrimSpace(string(raw))
	return l, nil
}

// Check checks the content hash that the line states and, unless key is nil, its signature. The
// error is ErrContent or ErrSignature.
func (l Line) Check(key []byte) error {
	hash, err := ContentHash(l.Record)
	if err != nil {
		return err
	}
	if hash != l.ContentHash {
		return ErrContent
	}
	if key != nil && !hmac.Equal([]byte(Sign(key, hash)), []byte(l.Signature)) {
		return ErrSignature
	}
	return nil
}

// Event returns the line as a CloudEvent. verified means that its signature was checked.
func (l Line) Event(verified bool) (entry.Event, error) {
	state := "unchecked"
	if verified {
		state = "verified"
	}
	return l.Record.Event(map[string]string{
		ExtFormat:       FormatTrail,
		ExtContentHash:  l.ContentHash,
		ExtPreviousHash: l.PreviousHash,
		ExtSignature:    l.Signature,
		ExtHMAC:         state,
		ExtUnsigned:     list(l.Unsigned),
	})
}

// list returns names as the value of an attribute. It quotes names that are not plain words, and
// ends a value that would be too long with an ellipsis.
func list(names []string) string {
	var b strings.Builder
	for _, name := range names {
		word := name
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != "" ||
			len(word) > 64 {
			word = strconv.QuoteToASCII(name)
		}
		if b.Len()+len(word) > 1000 {
			b.WriteString(" …")
			break
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}

// fields reads members of an object and keeps the first error.
type fields struct {
	of    Value
	known map[string]bool
	err   error
}

func (f *fields) fail(name, why string) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: %s %s", ErrLine, name, why)
	}
}

// optional returns a string, or nil for null.
func (f *fields) optional(name string) *string {
	f.known[name] = true
	switch m := f.of.Get(name); {
	case m == nil:
		f.fail(name, "is missing")
	case m.Kind == String:
		return &m.Text
	case m.Kind != Null:
		f.fail(name, "is no string")
	}
	return nil
}

func (f *fields) text(name string) string {
	s := f.optional(name)
	if s == nil {
		f.fail(name, "is null")
		return ""
	}
	return *s
}

// record reads the members that the toolkit hashes, except previous_hash.
func (f *fields) record() Record {
	r := Record{
		EntryID:        f.text("entry_id"),
		Timestamp:      f.text("timestamp"),
		EventType:      f.text("event_type"),
		AgentDID:       f.text("agent_did"),
		Action:         f.text("action"),
		Resource:       f.optional("resource"),
		TargetDID:      f.optional("target_did"),
		Outcome:        f.text("outcome"),
		PolicyDecision: f.optional("policy_decision"),
		MatchedRule:    f.optional("matched_rule"),
		TraceID:        f.optional("trace_id"),
		SessionID:      f.optional("session_id"),
	}
	f.known["data"] = true
	if m := f.of.Get("data"); m == nil {
		f.fail("data", "is missing")
	} else {
		r.Data = []byte(m.Raw())
	}
	return r
}
