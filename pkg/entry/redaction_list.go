package entry

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealstream/sealstream/pkg/redact"
)

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
