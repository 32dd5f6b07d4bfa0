// Package redactions holds the list of what was taken out of an event: in the leaf, and in the
// attribute in which a sender hands it on (SPEC 13.2).
package redactions

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/redact"
)

const (
	maxRedactions    = 32
	maxRedactionPath = 128
	// More is the kind of the finding that stands for those that were left out.
	More = "more"
)

// Shorten makes a list fit for a leaf: each kind and path once, in order, and not too many.
func Shorten(list []redact.Finding) []redact.Finding {
	var short []redact.Finding
	for _, r := range list {
		r.Path = canonical.Clip(r.Path, maxRedactionPath)
		if slices.Contains(short, r) {
			continue
		}
		if len(short) == maxRedactions-1 {
			return append(short, redact.Finding{Kind: More})
		}
		short = append(short, r)
	}
	return short
}

// Format returns the list as the value of the attribute redactions.
func Format(list []redact.Finding) string {
	for {
		var b strings.Builder
		for i, r := range list {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(r.Kind + ":" + canonical.PercentEncode(r.Path))
		}
		if b.Len() <= ruleset.MaxAttributeBytes {
			return b.String()
		}
		list = append(slices.Clone(list[:max(len(list)-2, 0)]), redact.Finding{Kind: More})
	}
}

// Parse reads a value of the attribute redactions. It takes nothing but what Format writes.
func Parse(value string) ([]redact.Finding, bool) {
	var list []redact.Finding
	for item := range strings.SplitSeq(value, " ") {
		kind, path, ok := strings.Cut(item, ":")
		decoded, err := canonical.PercentDecode(path)
		if !ok || err != nil || !redact.IsMark(redact.Mark(kind)) || !utf8.ValidString(decoded) ||
			canonical.BadRune(decoded) >= 0 {
			return nil, false
		}
		list = append(list, redact.Finding{Kind: kind, Path: decoded})
	}
	return list, slices.Equal(Shorten(list), list) && Format(list) == value
}

// Bytes redacts JSON text or other text, and leaves alone what is no UTF-8. The paths of its
// findings begin with path.
func Bytes(s *redact.Set, b []byte, json bool, path string) ([]byte, []redact.Finding) {
	if json && canonical.CheckJSON(b, ruleset.MaxDepth) == nil {
		return s.JSON(b, path)
	}
	if !utf8.Valid(b) {
		return b, nil
	}
	var list []redact.Finding
	out, kinds := s.Text(b)
	for _, k := range kinds {
		list = append(list, redact.Finding{Kind: k, Path: path})
	}
	return out, list
}
