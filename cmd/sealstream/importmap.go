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

	"github.com/sealstream/sealstream/pkg/agt"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Attributes of an entry that came from a JSON line by a map of its fields.
const (
	extImportFormat = "importformat" // jsonl
	extImportTime   = "importtime"   // the time as it was written, where that is no RFC 3339
)

// mapped are the fields that a map can fill, by their names in an entry, with the attribute and the paths at which they are looked for if the map does
// not say.
var mapped = []struct{ field, attribute, other string }{
	{"entry_id", "id", "id"}, {"agent_did", "source", "source"}, {"event_type", "type", "type"}, {"timestamp", "time", "time"}, {"resource", "subject", "subject"},
	{"action", "action", ""}, {"outcome", "outcome", ""}, {"target_did", "targetdid", "targetdid"}, {"policy_decision", "policydecision", "policydecision"},
	{"matched_rule", "matchedrule", "matchedrule"}, {"trace_id", "traceid", "traceid"}, {"session_id", "sessionid", "sessionid"}, {"data", "data", ""},
}

// fieldMap makes events of JSON objects.
type fieldMap struct {
	paths map[string][]string // attribute to the paths at which it may stand; data among them
	fixed map[string]string   // attribute to value
	seen  map[[16]byte]int    // how often a line without an id has occurred
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
			if err := entry.CheckJSON([]byte(value), entry.MaxDepth); err != nil {
				return nil, fmt.Errorf("--set data: %w", err)
			}
		}
		f.fixed[name] = value
	}
	return f, nil
}

// notMapped are attributes that a line cannot have: what describes the data, and the agent's own numbering and signature.
var notMapped = []string{"specversion", "datacontenttype", "dataschema", "datasalt", "agentseq", "agentprev", "agentsignature", extImportFormat, extImportTime}

// assignment reads NAME=VALUE, and brings the name to that of the attribute.
func assignment(flag, s string) (attribute, value string, err error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return "", "", fmt.Errorf("%s %q is not FIELD=…", flag, s)
	}
	for _, m := range mapped {
		if name == m.field || name == m.attribute {
			return m.attribute, value, nil
		}
	}
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || slices.Contains(notMapped, name) {
		return "", "", fmt.Errorf("%s: %q is no field: a field of an entry, or an attribute of a-z and 0-9", flag, name)
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

// idOf makes an id of the line itself and of how often it came before in this file, so that the same file gives the same ids.
func (f *fieldMap) idOf(raw []byte) string {
	sum := sha256.Sum256(bytes.TrimSpace(raw))
	key := [16]byte(sum[:16])
	f.seen[key]++
	if n := f.seen[key]; n > 1 {
		sum = sha256.Sum256(fmt.Appendf(sum[:], "%d", n))
	}
	return "jsonl-" + hex.EncodeToString(sum[:16])
}

// find is the first of the paths at which something stands.
func find(v agt.Value, paths []string) *agt.Value {
	for _, path := range paths {
		if found := walk(v, path); found != nil {
			return found
		}
	}
	return nil
}

// walk follows a path: names and places in arrays parted by points, or a JSON pointer.
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

// attributeOf is a value as an attribute has it.
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
	return "", fmt.Errorf("%s: neither a text, a number nor a truth value stands there", name)
}

// unixTime reads a number as the time since 1970: seconds, or, if it is too large for these, milliseconds, microseconds or nanoseconds.
func unixTime(text string) (string, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Trim(fraction, "0123456789") != "" || n < 0 {
		return "", fmt.Errorf("time: %.40q is no time since 1970", text)
	}
	var t time.Time
	switch {
	case n < 1e11:
		fraction = (fraction + "000000000")[:9]
		nanos, err := strconv.ParseInt(fraction, 10, 64)
		if err != nil {
			return "", fmt.Errorf("time: %.40q is no time since 1970", text)
		}
		t = time.Unix(n, nanos)
	case n < 1e14:
		t = time.UnixMilli(n)
	case n < 1e17:
		t = time.UnixMicro(n)
	default:
		t = time.Unix(0, n)
	}
	return t.UTC().Format(time.RFC3339Nano), nil
}

// assign fills an attribute.
func assign(e *entry.Event, name, value string) error {
	texts := map[string]*string{"id": &e.ID, "source": &e.Source, "subject": &e.Subject, "action": &e.Action, "outcome": &e.Outcome, "targetdid": &e.TargetDID,
		"policydecision": &e.PolicyDecision, "matchedrule": &e.MatchedRule, "traceid": &e.TraceID, "sessionid": &e.SessionID}
	switch p := texts[name]; {
	case p != nil:
		*p = value
	case name == "type":
		if e.Type = value; entry.EventType(value) == value { // else it is a CloudEvents type already
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
