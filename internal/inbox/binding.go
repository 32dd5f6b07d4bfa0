package inbox

import (
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Mode is how an EVENTS message carries events (SPEC 4).
type Mode int

// The modes of EVENTS messages.
const (
	Structured Mode = iota // one event in the JSON format
	Batched                // an array of events in the JSON format
	Binary                 // attributes in headers, data in the body
)

// ModeOf returns the mode of a message that an agent published, by the rules of a log (SPEC 4).
func ModeOf(m entry.Message, rules uint64) Mode {
	binary, structured := false, false
	for name, values := range m.Header {
		switch {
		case strings.EqualFold(name, "ce-specversion"):
			binary = true
		case rules >= ruleset.Binding && strings.EqualFold(name, "content-type"):
			for _, v := range values {
				structured = structured || hasPrefixFold(trimBlank(v), "application/cloudevents")
			}
		}
	}
	if binary && !structured {
		return Binary
	}
	if body := canonical.TrimSpace(m.Data); len(body) > 0 && body[0] == '[' {
		return Batched
	}
	return Structured
}

// ParseBinary reads the one event of a message in binary mode, by the rules of a log. From
// ruleset.Binding on, datacontenttype has a ce- header and a value may stand in double quotes, as
// sections 3.1.3.1 and 3.1.3.2 of the CloudEvents NATS binding ask.
func ParseBinary(m entry.Message, rules uint64) (entry.Event, error) {
	contentType, seen := "", false
	for name, values := range m.Header {
		if strings.EqualFold(name, "content-type") {
			if seen || len(values) != 1 {
				return entry.Event{}, &entry.FieldError{Field: "datacontenttype", Reason: "given more than once"}
			}
			contentType, seen = values[0], true
		}
	}
	if rules < ruleset.Binding {
		return entry.ParseBinary(attributes(m), contentType, m.Data, false)
	}
	return entry.ParseBinary(func(yield func(name, value string) bool) {
		for name, value := range attributes(m) {
			if !yield(name, UnquoteHeader(trimBlank(value))) {
				return
			}
		}
	}, trimBlank(contentType), m.Data, true)
}

// attributes yields the ce- headers as entry.ParseBinary takes them. A header with several values
// yields its name as often.
func attributes(m entry.Message) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for name, values := range m.Header {
			rest, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
			for _, v := range values {
				if ok && !yield(rest, v) {
					return
				}
			}
		}
	}
}

// UnquoteHeader undoes the double quotes that the bindings let a sender put around a value (RFC
// 9110 section 5.6.4). Percent-encoding is undone after it. A quote that belongs to the value is
// encoded, so no careful sender has a value that only looks quoted.
func UnquoteHeader(v string) string {
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return v
	}
	b := make([]byte, 0, len(v))
	for inner := v[1 : len(v)-1]; inner != ""; inner = inner[1:] {
		switch {
		case inner[0] == '"':
			return v
		case inner[0] == '\\' && len(inner) == 1:
			return v
		case inner[0] == '\\':
			inner = inner[1:]
		}
		b = append(b, inner[0])
	}
	return string(b)
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// trimBlank takes off the white space that may stand around a header's value.
func trimBlank(s string) string { return strings.Trim(s, " \t") }
