package entry

import (
	"cmp"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// By applies the sealing rules of a number to a parsed event. Whoever seals must call it: the
// parsers read trace ids as ruleset.Binding does, and do not check that the event fits into a leaf.
// From ruleset.Blinding on, By does not check that either, because what counts is what redaction
// leaves of the event; see Fits. Errors are *FieldError.
func (e *Event) By(rules uint64) error {
	switch e.rules = rules; {
	case rules >= ruleset.Blinding:
		e.TakeRedactions()
		return nil
	case e.wide:
		return e.Fits(ruleset.Binding)
	case rules < ruleset.Binding && e.oldTrace != "":
		e.TraceID = e.oldTrace // the leaf has become longer
		return e.Fits(rules)
	}
	return nil
}

// findTrace sets TraceID. From ruleset.Binding on, an id of zeros is no trace id, and neither is
// the id of a traceparent whose parent id is zero (W3C Trace Context, sections 3.2.2.3 and
// 3.2.2.4). Otherwise all events without a trace would share one.
func (e *Event) findTrace() {
	if e.TraceID != "" && !isZero(e.TraceID) {
		return
	}
	parent := e.Extensions["traceparent"]
	id := traceOf(parent)
	before := cmp.Or(e.TraceID, id)
	if e.TraceID = id; id != "" && (isZero(id) || isZero(parent[36:52])) {
		e.TraceID = ""
	}
	if before != e.TraceID {
		e.oldTrace = before
	}
}

// isZero reports whether a trace or parent id is all zeros, which W3C Trace Context and
// OpenTelemetry call invalid.
func isZero(id string) bool { return (len(id) == 32 || len(id) == 16) && strings.Trim(id, "0") == "" }

// traceOf returns the trace id of a W3C traceparent of version 00, or "" for anything else.
func traceOf(parent string) string {
	if len(parent) != 55 || parent[:3] != "00-" || parent[35] != '-' || parent[52] != '-' {
		return ""
	}
	for i := range len(parent) {
		if c := parent[i]; c != '-' && !canonical.IsDigit(c) && (c < 'a' || c > 'f') ||
			c == '-' && i != 2 && i != 35 && i != 52 {
			return ""
		}
	}
	return parent[3:35]
}
