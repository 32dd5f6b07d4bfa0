package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Attributes of an entry that was imported from a JSON line.
const (
	extImportFormat = "importformat" // jsonl
	extImportTime   = "importtime"   // the original time, if it was not RFC 3339
)

// mapped lists the fields that --map can fill: the name in an entry, which is also the default
// path; the attribute of the event; and another default path, or "".
var mapped = []struct{ field, attribute, other string }{
	{"entry_id", "id", "id"},
	{"agent_did", "source", "source"},
	{"event_type", "type", "type"},
	{"timestamp", "time", "time"},
	{"resource", "subject", "subject"},
	{"action", "action", ""},
	{"outcome", "outcome", ""},
	{"target_did", "targetdid", "targetdid"},
	{"policy_decision", "policydecision", "policydecision"},
	{"matched_rule", "matchedrule", "matchedrule"},
	{"trace_id", "traceid", "traceid"},
	{"session_id", "sessionid", "sessionid"},
	{"data", "data", ""},
}

// fieldMap makes events of JSON objects.
type fieldMap struct {
	paths map[string][]string // attribute, or data, to the paths that may contain it
	fixed map[string]string   // attribute, or data, to the value of --set
	seen  map[[16]byte]int    // hash of a line without an id to the number of its occurrences
}

func newFieldMap(paths, values []string) (*fieldMap, error) {
	f := &fieldMap{paths: map[string][]string{}, fixed: map[string]string{}, seen: map[[16]byte]int{}}
	for _, m := range mapped {
		f.paths[m.attribute] = []string{m.field}
		if m.other != "" {
			f.paths[m.attribute] = append(f.paths[m.attribute], m.other)
		}
	}
	f.paths["data"] = []string{"data", "."}
	for _, x := range paths {
		name, path, err := assignment("--map", x)
		if err != nil {
			return nil, err
		}
		if f.paths[name] = nil; path != "" {
			f.paths[name] = []string{path}
		}
	}
	for _, x := range values {
		name, value, err := assignment("--set", x)
		if err != nil {
			return nil, err
		}
		if name == "data" {
			if err := canonical.CheckJSON([]byte(value), ruleset.MaxDepth); err != nil {
				return nil, fmt.Errorf("--set data: %w", err)
			}
		}
		f.fixed[name] = value
	}
	return f, nil
}

// notMapped lists the attributes that --map and --set cannot fill: those that describe the data,
// and the agent's own numbering and signature.
var notMapped = []string{
	"specversion",
	"datacontenttype",
	"dataschema",
	"datasalt",
	"agentseq",
	"agentprev",
	"agentsignature",
	extImportFormat,
	extImportTime,
}

// assignment parses NAME=VALUE and returns the attribute that the name stands for.
func assignment(flag, s string) (attribute, value string, err error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return "", "", fmt.Errorf("%s %q does not have the form FIELD=…", flag, s)
	}
	for _, m := range mapped {
		if name == m.field || name == m.attribute {
			return m.attribute, value, nil
		}
	}
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || slices.Contains(notMapped, name) {
		return "", "", fmt.Errorf("%s: %q is neither a field of an entry nor an attribute of a-z and 0-9", flag, name)
	}
	return name, value, nil
}

func (f *fieldMap) event(_ *importer, raw []byte, line int) (imported, error) {
	v, err := agt.Parse(raw)
	if err == nil && v.Kind != agt.Object {
		err = errors.New("not a JSON object")
	}
	if err != nil {
		return imported{}, err
	}
	e := entry.Event{Extensions: map[string]string{extImportFormat: "jsonl"}}
	data := ""
	for name, paths := range f.paths {
		found := find(v, paths)
		if _, fixed := f.fixed[name]; fixed || found == nil || found.Kind == agt.Null && name != "data" {
			continue
		}
		if name == "data" {
			data = found.Raw()
			continue
		}
		value, err := attributeOf(name, *found)
		if err != nil {
			return imported{}, err
		}
		if err := assign(&e, name, value); err != nil {
			return imported{}, err
		}
	}
	for name, value := range f.fixed {
		if name == "data" {
			data = value
		} else if err := assign(&e, name, value); err != nil {
			return imported{}, err
		}
	}
	if e.ID == "" {
		e.ID = f.idOf(raw)
	}
	if data != "" {
		if err := e.SetJSON([]byte(data)); err != nil {
			return imported{}, err
		}
	}
	if err := e.Check(); err != nil {
		return imported{}, err
	}
	return imported{line: line, event: e.AppendJSON(nil), of: e}, nil
}

// idOf derives an id from the line itself and from how often it has occurred in this file, so that
// the same file gives the same ids.
func (f *fieldMap) idOf(raw []byte) string {
	sum := sha256.Sum256(bytes.TrimSpace(raw))
	key := [16]byte(sum[:16])
	f.seen[key]++
	if n := f.seen[key]; n > 1 {
		sum = sha256.Sum256(fmt.Appendf(sum[:], "%d", n))
	}
	return "jsonl-" + hex.EncodeToString(sum[:16])
}

// find returns the value at the first path that exists, or nil.
func find(v agt.Value, paths []string) *agt.Value {
	for _, path := range paths {
		if found := walk(v, path); found != nil {
			return found
		}
	}
	return nil
}

// walk returns the value at a path, or nil. A path is a JSON pointer, "." for the whole value, or
// names and array indexes separated by dots.
func walk(v agt.Value, path string) *agt.Value {
	if path == "." {
		return &v
	}
	parts := strings.Split(path, ".")
	if strings.HasPrefix(path, "/") {
		parts = strings.Split(path[1:], "/")
		for i := range parts {
			parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
		}
	}
	at := &v
	for _, part := range parts {
		if at.Kind == agt.Array {
			n, err := strconv.ParseUint(part, 10, 31)
			if err != nil || int(n) >= len(at.Items) {
				return nil
			}
			at = &at.Items[n]
		} else if at = at.Get(part); at == nil {
			return nil
		}
	}
	return at
}

// attributeOf returns a value in the form of an attribute.
func attributeOf(name string, v agt.Value) (string, error) {
	switch v.Kind {
	case agt.String:
		return v.Text, nil
	case agt.Bool:
		return strconv.FormatBool(v.True), nil
	case agt.Int, agt.Float:
		if name == "time" {
			return unixTime(v.Raw())
		}
		return v.Raw(), nil
	}
	return "", fmt.Errorf("%s: the value is not a string, a number or a boolean", name)
}

// unixTime parses a number as the time since 1970: in seconds, or if it is too large for seconds,
// in milliseconds, microseconds or nanoseconds. It keeps all digits of a fraction, except zeros at
// its end. The number may have an exponent, because many programs write large numbers so.
func unixTime(text string) (string, error) {
	whole, fraction, _ := strings.Cut(withoutExponent(text), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Trim(fraction, "0123456789") != "" || n < 0 {
		return "", fmt.Errorf("time: %.40q is not a time since 1970", text)
	}
	for unit := int64(1e11); n >= unit && unit <= 1e17; unit *= 1000 {
		at := len(whole) - 3
		whole, fraction = whole[:at], whole[at:]+fraction
	}
	if n, err = strconv.ParseInt(whole, 10, 64); err != nil {
		return "", fmt.Errorf("time: %.40q is not a time since 1970", text)
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		fraction = "." + fraction
	}
	return time.Unix(n, 0).UTC().Format("2006-01-02T15:04:05") + fraction + "Z", nil
}

// withoutExponent writes a JSON number without its exponent. It returns a number with an exponent
// outside of 0 to 20 unchanged, which no time has.
func withoutExponent(text string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	shift, err := strconv.Atoi(exponent)
	if err != nil || shift < 0 || shift > 20 {
		return text
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	fraction += strings.Repeat("0", max(0, shift-len(fraction)))
	return whole + fraction[:shift] + "." + fraction[shift:]
}

// assign sets an attribute of an event.
func assign(e *entry.Event, name, value string) error {
	texts := map[string]*string{
		"id":             &e.ID,
		"source":         &e.Source,
		"subject":        &e.Subject,
		"action":         &e.Action,
		"outcome":        &e.Outcome,
		"targetdid":      &e.TargetDID,
		"policydecision": &e.PolicyDecision,
		"matchedrule":    &e.MatchedRule,
		"traceid":        &e.TraceID,
		"sessionid":      &e.SessionID,
	}
	switch p := texts[name]; {
	case p != nil:
		*p = value
	case name == "type":
		if e.Type = value; ruleset.EventType(value) == value { // otherwise it is a CloudEvents type already
			e.Type = agt.CloudEventType(value)
		}
	case name == "time":
		t, repaired, err := agt.Time(value)
		if err != nil {
			return err
		}
		if e.Time = t; repaired {
			e.Extensions[extImportTime] = value
		}
	default:
		e.Extensions[name] = value
	}
	return nil
}
