package agt_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/pkg/entry"
)

var trailKey = []byte("tau-airline-demo-key-not-a-secret")

func trailLines(t testing.TB) [][]byte {
	t.Helper()
	b, err := os.ReadFile("testdata/agt-audit-trail.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

// Case 57: every line of a trail of the toolkit's has the content hash and the signature that it states.
func TestTrailOfTheToolkit(t *testing.T) {
	trail, n := agt.Trail{Key: trailKey}, 0
	for i, raw := range trailLines(t) {
		l, restarts, broken, err := trail.Next(raw)
		if err != nil || broken != nil || restarts || l.Unusual || l.Unsigned != nil {
			t.Fatalf("line %d: %v, %v, %v, %v", i+1, restarts, broken, err, l.Unsigned)
		}
		e, err := l.Event(true)
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if e.ID != l.EntryID || e.EventType != l.EventType || e.Action != l.Action || e.Outcome != l.Outcome ||
			e.Subject != *l.Resource || e.TraceID != *l.TraceID ||
			e.Time != strings.Replace(l.Timestamp, "+00:00", "Z", 1) || !bytes.Equal(e.Data, l.Data) ||
			e.Extensions[agt.ExtSignature] != l.Signature || e.Extensions[agt.ExtContentHash] != l.ContentHash ||
			e.Extensions[agt.ExtPreviousHash] != l.PreviousHash || e.Extensions[agt.ExtHMAC] != "verified" {
			t.Fatalf("line %d became %+v", i+1, e)
		}
		n++
	}
	if n != 300 {
		t.Errorf("%d lines", n)
	}
}

// Every bit of a line that is turned over makes the line one that is refused. (A letter in the
// hexadecimal of a \u escape could change its case; there is none here.)
func TestFlippedBitsAreRefused(t *testing.T) {
	lines := trailLines(t)
	for _, i := range []int{0, 7, 120} {
		if testing.Short() && i > 0 {
			break
		}
		for at := range lines[i] {
			for bit := range 8 {
				raw := bytes.Clone(lines[i])
				raw[at] ^= 1 << bit
				l, err := agt.ParseLine(raw)
				if err == nil {
					err = l.Check(trailKey)
				}
				if err == nil {
					t.Fatalf("line %d, byte %d, bit %d: taken", i+1, at, bit)
				}
			}
		}
	}
}

func TestTrailChain(t *testing.T) {
	lines := trailLines(t)[:6]
	altered := bytes.Replace(lines[2], []byte(`"allow"`), []byte(`"audit"`), 1)
	restart, _, err := agt.Record{EntryID: "x", AgentDID: "d", EventType: "t"}.AppendLine(nil, trailKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		lines    [][]byte
		key      []byte
		bad      error
		badAt    int // 1-based; 0: none
		brokenAt int
		restart  int
	}{
		"whole":                   {lines: lines, key: trailKey},
		"without a key":           {lines: lines},
		"another key":             {lines: lines[:1], key: []byte("another"), bad: agt.ErrSignature, badAt: 1},
		"an empty key is a key":   {lines: lines[:1], key: []byte{}, bad: agt.ErrSignature, badAt: 1},
		"altered":                 {lines: [][]byte{lines[0], lines[1], altered, lines[3]}, key: trailKey, bad: agt.ErrContent, badAt: 3},
		"altered, without a key":  {lines: [][]byte{lines[0], lines[1], altered, lines[3]}, bad: agt.ErrContent, badAt: 3},
		"torn in the middle":      {lines: [][]byte{lines[0], lines[1][:99], lines[2], lines[3]}, key: trailKey, bad: agt.ErrJSON, badAt: 2},
		"case 9: swapped":         {lines: [][]byte{lines[0], lines[2], lines[1]}, key: trailKey, brokenAt: 2},
		"case 10: one is missing": {lines: [][]byte{lines[0], lines[1], lines[3], lines[4]}, key: trailKey, brokenAt: 3},
		"the first is missing":    {lines: lines[1:], key: trailKey, brokenAt: 1},
		"twice the same":          {lines: [][]byte{lines[0], lines[1], lines[1]}, key: trailKey, brokenAt: 3},
		"two files in one":        {lines: [][]byte{lines[0], lines[1], restart}, key: trailKey, restart: 3},
		"no object":               {lines: [][]byte{[]byte(`[]`)}, bad: agt.ErrLine, badAt: 1},
		"another object":          {lines: [][]byte{[]byte(`{"specversion":"1.0"}`)}, bad: agt.ErrLine, badAt: 1},
		"case 11: zeros in the link": {lines: [][]byte{lines[0], bytes.Replace(lines[1], []byte(`"previous_hash": "db469b7e`), []byte(`"previous_hash": "00000000`), 1)}, key: trailKey,
			bad: agt.ErrContent, badAt: 2},
	} {
		trail := agt.Trail{Key: c.key}
		firstBroken := 0
		for i, raw := range c.lines {
			_, restarts, broken, err := trail.Next(raw)
			if want := i+1 == c.badAt; (err != nil) != want || want && !errors.Is(err, c.bad) {
				t.Errorf("%s: line %d: %v", name, i+1, err)
			}
			if broken != nil && firstBroken == 0 {
				firstBroken = i + 1
			}
			if restarts != (i+1 == c.restart) {
				t.Errorf("%s: line %d: restarts is %v", name, i+1, restarts)
			}
		}
		if firstBroken != c.brokenAt {
			t.Errorf("%s: broken at %d, want %d", name, firstBroken, c.brokenAt)
		}
	}
}

// Case 57: what the signature does not cover is named.
func TestUnsignedFields(t *testing.T) {
	r := agt.Record{EntryID: "e1", AgentDID: "did:x", EventType: "tool_invocation", Action: "allow", Outcome: "success",
		Timestamp:   "2026-05-22T01:02:03+00:00",
		Environment: agt.Optional("prod"), SandboxID: agt.Optional("box")}
	line, _, err := r.AppendLine(nil, trailKey)
	if err != nil {
		t.Fatal(err)
	}
	for add, want := range map[string]string{
		"":                                      "environment sandbox_id",
		`, "approved": true`:                    "approved environment sandbox_id",
		`, "approved": null, "\u0001 x": {}`:    `"\x01 x" approved environment sandbox_id`,
		`, "` + strings.Repeat("y", 99) + `":1`: "environment sandbox_id \"" + strings.Repeat("y", 99) + `"`,
	} {
		l, err := agt.ParseLine([]byte(strings.TrimSuffix(string(line), "}") + add + "}"))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Check(trailKey); err != nil {
			t.Error(err)
		}
		e, err := l.Event(true)
		if err != nil || e.Extensions[agt.ExtUnsigned] != want || e.Extensions[agt.ExtEnvironment] != "prod" ||
			e.Extensions[agt.ExtSandbox] != "box" {
			t.Errorf("%q: %v, %v", add, e.Extensions, err)
		}
	}
	changed := strings.Replace(string(line), `"prod"`, `"test"`, 1)
	if l, err := agt.ParseLine([]byte(changed)); err != nil || l.Check(trailKey) != nil {
		t.Errorf("%v: the environment is under the signature now; then it must not be flagged", err)
	}
	older := strings.NewReplacer(`"compute_driver": null, `, "", `"environment": "prod", `, "", `"sandbox_id": "box", `,
		"").Replace(string(line))
	if l, err := agt.ParseLine([]byte(older)); err != nil || l.Check(trailKey) != nil || l.Unsigned != nil {
		t.Errorf("a line without the three: %v", err)
	}
	loose := strings.ReplaceAll(string(line), `": `, `":`)
	if l, err := agt.ParseLine([]byte(loose)); err != nil || l.Check(trailKey) != nil || !l.Unusual {
		t.Errorf("a line in another form: %v, %v", l.Unusual, err)
	}
}

// What the toolkit takes and this log does not is kept beside.
func TestRecordsThatDoNotFit(t *testing.T) {
	base := agt.Record{
		EntryID: "e1", AgentDID: "did:x", EventType: "tool_invocation", Action: "allow", Outcome: "success",
		Timestamp: "2026-05-22T01:02:03.5+00:00",
	}
	for name, c := range map[string]struct {
		alter func(*agt.Record)
		check func(entry.Event) bool
	}{
		"an action of its own": {func(r *agt.Record) { r.Action = "read" }, func(e entry.Event) bool { return e.Action == "" && e.Extensions[agt.ExtAction] == "read" }},
		"an outcome of its own": {func(r *agt.Record) { r.Outcome = "timeout" },
			func(e entry.Event) bool { return e.Outcome == "" && e.Extensions[agt.ExtOutcome] == "timeout" }},
		"a NaN": {func(r *agt.Record) { r.Data = []byte(`{"x": NaN}`) },
			func(e entry.Event) bool {
				return string(e.Data) == `{"x": NaN}` && e.Extensions[agt.ExtData] == "text" &&
					e.Extensions["datacontenttype"] == "text/plain"
			}},
		"a lone surrogate in data": {func(r *agt.Record) { r.Data = []byte(`{"x": "\ud800"}`) },
			func(e entry.Event) bool {
				return string(e.Data) == `{"x": "\ud800"}` && e.Extensions[agt.ExtData] == "text"
			}},
		"deep data": {func(r *agt.Record) { r.Data = []byte(strings.Repeat("[", 40) + strings.Repeat("]", 40)) },
			func(e entry.Event) bool { return e.Extensions[agt.ExtData] == "text" && len(e.Data) == 80 }},
		"64-bit integers": {func(r *agt.Record) { r.Data = []byte(`{"n": 18446744073709551615}`) },
			func(e entry.Event) bool { return string(e.Data) == `{"n": 18446744073709551615}` }},
		"no offset": {func(r *agt.Record) { r.Timestamp = "2026-05-22T01:02:03.5" },
			func(e entry.Event) bool {
				return e.Time == "2026-05-22T01:02:03.5Z" && e.Extensions[agt.ExtTime] == "2026-05-22T01:02:03.5"
			}},
		"a space in the time": {func(r *agt.Record) { r.Timestamp = "2026-05-22 01:02:03+02:00" },
			func(e entry.Event) bool { return e.Time == "2026-05-21T23:02:03Z" && e.Extensions[agt.ExtTime] != "" }},
		"a type that another maps to": {func(r *agt.Record) { r.EventType = "tool.invoked" }, func(e entry.Event) bool { return e.EventType == "tool.invoked" }},
	} {
		r := base
		c.alter(&r)
		e, err := r.Event(nil)
		if err != nil || !c.check(e) {
			t.Errorf("%s: %+v, %v", name, e, err)
			continue
		}
		if again, err := entry.ParseEvent(e.AppendJSON(nil)); err != nil || !bytes.Equal(again.Data, e.Data) {
			t.Errorf("%s: as JSON: %s, %v", name, again.Data, err)
		}
	}
	for name, alter := range map[string]func(*agt.Record){
		"event_type":   func(r *agt.Record) { r.EventType = "" },
		"type":         func(r *agt.Record) { r.EventType = "sealstream.config" },
		"agent_did":    func(r *agt.Record) { r.AgentDID = "" },
		"entry_id":     func(r *agt.Record) { r.EntryID = "\x00" },
		"resource":     func(r *agt.Record) { r.Resource = agt.Optional(strings.Repeat("x", 5000)) },
		"timestamp":    func(r *agt.Record) { r.Timestamp = "yesterday" },
		"matched_rule": func(r *agt.Record) { r.MatchedRule = agt.Optional("\xed\xa0\x80") },
	} {
		r := base
		alter(&r)
		if _, err := r.Event(nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, l := range trailLines(f)[:3] {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := agt.ParseLine(raw)
		if err != nil {
			return
		}
		// What is written again has the same values under the same hash.
		line, hash, err := l.AppendLine(nil, trailKey)
		if err != nil {
			t.Fatal(err)
		}
		again, err := agt.ParseLine(line)
		if err != nil || again.Check(trailKey) != nil || again.ContentHash != hash {
			t.Fatalf("%s: %v", line, err)
		}
		if e, err := l.Event(false); err == nil {
			if _, err := entry.ParseEvent(e.AppendJSON(nil)); err != nil {
				t.Fatalf("%q became what the log refuses: %v", raw, err)
			}
		}
	})
}
