package draft

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/redactions"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// rejectedLook is how much of refused bytes is looked at, so that a secret which the 4,096th byte
// cuts in two is seen.
const rejectedLook = 4 * ruleset.MaxRejectedBytes

// redactRejected is what a rejected entry keeps of the whole (SPEC 13.5): redacted, then cut. It
// names the kinds.
func redactRejected(s *redact.Set, whole []byte) ([]byte, []redact.Finding) {
	look := whole[:min(len(whole), rejectedLook)]
	out, list := redactions.Bytes(s, look, len(look) == len(whole), "")
	if list == nil && !utf8.Valid(look) { // it may be text but for a byte
		var kinds []string
		out, kinds = s.Text(look)
		for _, k := range kinds {
			list = append(list, redact.Finding{Kind: k})
		}
	}
	if list == nil && hiddenByEscapes(s, look) {
		out, list = []byte(redact.Mark("escaped")), []redact.Finding{{Kind: "escaped"}}
	}
	return out[:min(len(out), ruleset.MaxRejectedBytes)], redactions.Shorten(list)
}

// redactDetail takes out of the detail what the whole may have brought into it: reasons quote the
// text at fault, up to a length at which a secret is not known any more by its form.
func redactDetail(d *entry.Rejected, s *redact.Set, whole []byte) {
	if s.May(whole) {
		d.Reason = canonical.Clip(unquoted(d.Reason), 256)
		if d.Field != "" && !ruleset.ValidAttribute(d.Field) {
			d.Field = redact.Mark("name")
		}
	}
	for _, text := range []*string{&d.Reason, &d.Field, &d.Subject} {
		if out, kinds := s.Text([]byte(*text)); kinds != nil {
			*text = canonical.Clip(string(out), 256)
		}
	}
}

// unquoted puts a mark in place of each part of a text that stands in double quotes; one that is
// cut off goes to the end.
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

// hideGuesses leaves out of a rejected entry that is blinded what would let a reader try guesses of
// a secret: the event that was redacted before it was refused, and what was signed or salted before
// the whole was redacted (docs/SPEC-rules4.md, 4.9).
func hideGuesses(kept []byte, found []redact.Finding, whole []byte, altered bool) ([]byte, []redact.Finding) {
	kind := ""
	switch {
	case altered:
		kind = "refused"
	case found != nil && signs(whole):
		kind = "signed"
	default:
		return kept, found
	}
	return []byte(redact.Mark(kind)), []redact.Finding{{Kind: kind}}
}

// signs reports whether bytes name an attribute that is made of the data, in any case of letters.
func signs(whole []byte) bool {
	lower := bytes.ToLower(whole)
	for _, name := range []string{"agentsignature", "dssematerial", "actiondigest", "actionsalt"} {
		if bytes.Contains(lower, []byte(name)) {
			return true
		}
	}
	return false
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

// whole is what a rejected message is remembered by (SPEC 5.2): its body, and in front of it the
// headers that carried a binary event. Equal names in different case come in the order of their
// exact names.
func whole(m entry.Message) []byte {
	type line struct{ lower, name, value string }
	var lines []line
	event := false
	for name, values := range m.Header {
		lower := strings.ToLower(name)
		if ce := strings.HasPrefix(lower, "ce-"); ce || lower == "content-type" {
			event = event || ce
			for _, v := range values {
				lines = append(lines, line{lower, name, v})
			}
		}
	}
	if !event {
		return m.Data
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		if c := strings.Compare(a.lower, b.lower); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	var b []byte
	for _, l := range lines {
		b = append(b, l.lower+": "+l.value+"\n"...)
	}
	return append(append(b, '\n'), m.Data...)
}
