package main

import (
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
)

func mapOf(t testing.TB, paths, values []string) *fieldMap {
	t.Helper()
	f, err := newFieldMap(paths, values)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFieldMap(t *testing.T) {
	for name, c := range map[string]struct {
		paths, values []string
		line          string
		check         func(entry.Event) bool
	}{
		"seconds":                      {line: `{"id":"1","source":"s","type":"t","time":1767225600}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00Z" }},
		"milliseconds":                 {line: `{"id":"1","source":"s","type":"t","time":1767225600123}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.123Z" }},
		"microseconds":                 {line: `{"id":"1","source":"s","type":"t","time":1767225600123456}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.123456Z" }},
		"nanoseconds":                  {line: `{"id":"1","source":"s","type":"t","time":1767225600123456789}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.123456789Z" }},
		"seconds with a fraction":      {line: `{"id":"1","source":"s","type":"t","time":1767225600.5}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.5Z" }},
		"milliseconds with a fraction": {line: `{"id":"1","source":"s","type":"t","time":1767225600123.456}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.123456Z" }},
		"microseconds with a fraction": {line: `{"id":"1","source":"s","type":"t","time":1767225600123456.7}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.1234567Z" }},
		"nanoseconds with a fraction":  {line: `{"id":"1","source":"s","type":"t","time":1767225600123456789.25}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.12345678925Z" }},
		"more than nanoseconds":        {line: `{"id":"1","source":"s","type":"t","time":1767225600.0123456789012}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.0123456789012Z" }},
		"a fraction of zeros":          {line: `{"id":"1","source":"s","type":"t","time":1767225600120.000}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.12Z" }},
		"an exponent":                  {line: `{"id":"1","source":"s","type":"t","time":1.7672256005E9}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.5Z" }},
		"nanoseconds of a float":       {line: `{"id":"1","source":"s","type":"t","time":1.7672256001234568e+18}`, check: func(e entry.Event) bool { return e.Time == "2026-01-01T00:00:00.1234568Z" }},
		"an early time":                {line: `{"id":"1","source":"s","type":"t","time":0.25}`, check: func(e entry.Event) bool { return e.Time == "1970-01-01T00:00:00.25Z" }},
		"the last of seconds":          {line: `{"id":"1","source":"s","type":"t","time":99999999999}`, check: func(e entry.Event) bool { return e.Time == "5138-11-16T09:46:39Z" }},
		"the first of milliseconds":    {line: `{"id":"1","source":"s","type":"t","time":100000000000}`, check: func(e entry.Event) bool { return e.Time == "1973-03-03T09:46:40Z" }},
		"a number as text": {paths: []string{"session_id=n"}, line: `{"id":"1","source":"s","type":"t","n":18446744073709551615}`,
			check: func(e entry.Event) bool { return e.SessionID == "18446744073709551615" }},
		"the whole line is the data": {line: `{"id":"1", "source":"s", "type":"t"}`, check: func(e entry.Event) bool { return string(e.Data) == `{"id":"1", "source":"s", "type":"t"}` }},
		"a member is the data":       {line: `{"id":"1","source":"s","type":"t","data":null}`, check: func(e entry.Event) bool { return string(e.Data) == `null` }},
		"no data":                    {paths: []string{"data="}, line: `{"id":"1","source":"s","type":"t"}`, check: func(e entry.Event) bool { return !e.HasData }},
		"data that is set":           {values: []string{`data={"a":1}`}, line: `{"id":"1","source":"s","type":"t"}`, check: func(e entry.Event) bool { return string(e.Data) == `{"a":1}` }},
		"a field that is set":        {values: []string{"agent_did=x", "tenant=y"}, line: `{"id":"1","source":"s","type":"t"}`, check: func(e entry.Event) bool { return e.Source == "x" && e.Extensions["tenant"] == "y" }},
		"null is absent":             {line: `{"id":"1","source":"s","type":"t","action":null}`, check: func(e entry.Event) bool { return e.Action == "" }},
	} {
		x, err := mapOf(t, c.paths, c.values).event(nil, []byte(c.line), 1)
		if err != nil || !c.check(x.of) {
			t.Errorf("%s: %+v, %v", name, x.of, err)
		}
	}
	for line, want := range map[string]string{
		`[]`: "not a JSON object", `{`: "breaks off", `{"id":"1"}`: "required", `{"id":{},"source":"s","type":"t"}`: "is not a string", `{"id":"1","source":"s","type":"t","time":1e99}`: "not a time since 1970",
		`{"id":"1","source":"s","type":"t","time":-5}`: "not a time since 1970", `{"id":"1","source":"s","type":"t","time":"soon"}`: "RFC 3339", `{"id":"1","source":"s","type":"t","action":"GET"}`: "none of",
		`{"id":"1","source":"s","type":"t","data":NaN}`: "data",
	} {
		if _, err := mapOf(t, nil, nil).event(nil, []byte(line), 1); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	for _, bad := range [][2][]string{
		{{"x"}, nil}, {{"=x"}, nil}, {{"Agent=x"}, nil}, {nil, []string{"agentseq=1"}}, {nil, []string{"data=}"}},
	} {
		if _, err := newFieldMap(bad[0], bad[1]); err == nil {
			t.Errorf("%v: taken", bad)
		}
	}
}

// The ids that lines get follow from the file alone, and no two lines share one.
func TestFieldMapIDs(t *testing.T) {
	line, seen := []byte(`{"source":"s","type":"t"}`), map[string]int{}
	for range 2 {
		f := mapOf(t, nil, nil)
		for range 3 {
			x, err := f.event(nil, line, 1)
			if err != nil {
				t.Fatal(err)
			}
			seen[x.of.ID]++
		}
	}
	if len(seen) != 3 {
		t.Errorf("%v", seen)
	}
	for id, n := range seen {
		if n != 2 {
			t.Errorf("%s: %d times", id, n)
		}
	}
}

func FuzzFieldMap(f *testing.F) {
	f.Add([]byte(`{"id":"1","source":"s","type":"t","time":1767225600.5,"data":[1]}`))
	f.Add([]byte(`{"source":"s","type":"ai.agentmesh.tool.invoked","time":"2026-01-01 00:00:00"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := mapOf(t, []string{"session_id=a.0"}, nil).event(nil, raw, 1)
		if err != nil {
			return
		}
		if _, err := entry.ParseEvent(x.event); err != nil {
			t.Fatalf("%q became %s, which the log refuses: %v", raw, x.event, err)
		}
	})
}
