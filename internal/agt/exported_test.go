package agt_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

func exportedEvents(t testing.TB) (list []json.RawMessage) {
	t.Helper()
	b, err := os.ReadFile("testdata/agt-cloudevents.json")
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Every event of a whole export has the hash that it states, and becomes what the same entry's line
// in the trail becomes.
func TestExportOfTheToolkit(t *testing.T) {
	lines, previous, n := trailLines(t), "", 0
	for i, raw := range exportedEvents(t) {
		x, err := agt.ParseExported(raw)
		if err != nil || !x.Verified || x.Ambiguous != nil || x.Recovered != nil || x.Lost != nil ||
			x.Previous != previous {
			t.Fatalf("event %d: %+v, %v", i+1, x, err)
		}
		previous = x.EntryHash
		e, err := x.Event()
		if err != nil {
			t.Fatal(err)
		}
		if e.Extensions[agt.ExtTime] != x.Timestamp || !strings.HasSuffix(x.Timestamp, "+00:00Z") ||
			e.Extensions[agt.ExtLifted] != "action resource outcome policy_decision matched_rule" {
			t.Fatalf("event %d: time %q, attributes %v", i+1, x.Timestamp, e.Extensions)
		}
		l, err := agt.ParseLine(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		of, err := l.Event(true)
		if err != nil {
			t.Fatal(err)
		}
		of.Extensions, e.Extensions = nil, nil
		if a, b := fmt.Sprintf("%+v", e), fmt.Sprintf("%+v", of); a != b {
			t.Fatalf("event %d: exported %s\nin the trail %s", i+1, a, b)
		}
		n++
	}
	if n != 300 {
		t.Errorf("%d events", n)
	}
}

// export writes an event as the toolkit does: the fields first, the data over them, and a Z behind the offset.
func export(t *testing.T, r agt.Record, more map[string]any) []byte {
	t.Helper()
	hash, err := agt.EntryHash(r, "")
	if err != nil {
		t.Fatal(err)
	}
	orNull := func(s *string) any {
		if s == nil {
			return nil
		}
		return *s
	}
	data := map[string]any{
		"action": r.Action, "resource": orNull(r.Resource), "outcome": r.Outcome,
		"policy_decision": orNull(r.PolicyDecision), "matched_rule": orNull(r.MatchedRule),
	}
	for name, value := range more {
		data[name] = value
	}
	if r.Data != nil {
		if err := json.Unmarshal(r.Data, &data); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(map[string]any{"specversion": "1.0", "id": r.EntryID,
		"type": ruleset.CloudEventType(r.EventType), "source": r.AgentDID, "time": r.Timestamp + "Z",
		"datacontenttype": "application/json", "data": data, "agentmeshentryhash": hash, "agentmeshprevioushash": "", "sessionid": "s1"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOverwrittenFields(t *testing.T) {
	base := agt.Record{EntryID: "e1", AgentDID: "did:x", EventType: "tool_blocked", Action: "deny", Outcome: "denied",
		Timestamp: "2026-05-22T01:02:03+00:00",
		Resource:  agt.Optional("/r"), PolicyDecision: agt.Optional("no"), MatchedRule: agt.Optional("rule-1")}
	for name, c := range map[string]struct {
		data                string
		more                map[string]any
		alter               func(*agt.Record)
		action, outcome     string
		recovered, lost     string
		ambiguous, verified bool
		kept                string
	}{
		"plain":                    {data: `{"q": 1}`, action: "deny", outcome: "denied", verified: true, kept: `{"q": 1}`},
		"case 31: a false allow":   {data: `{"action": "allow", "outcome": "success"}`, action: "deny", outcome: "denied", recovered: "action outcome", verified: true, kept: `{"action": "allow", "outcome": "success"}`},
		"no string":                {data: `{"action": 7}`, action: "deny", outcome: "denied", recovered: "action", verified: true, kept: `{"action": 7}`},
		"the same":                 {data: `{"action": "deny"}`, action: "deny", outcome: "denied", recovered: "action", verified: true, kept: `{"action": "deny"}`},
		"a false decision":         {data: `{"policy_decision": "yes"}`, action: "deny", outcome: "denied", lost: "policy_decision", verified: true, kept: `{"policy_decision": "yes"}`},
		"an unknown action":        {data: `{"action": "allow"}`, alter: func(r *agt.Record) { r.Action = "shred" }, action: "allow", outcome: "denied", ambiguous: true},
		"a resource that is gone":  {data: `{"resource": "/other"}`, action: "deny", outcome: "denied", ambiguous: true},
		"no resource, a false one": {data: `{"resource": "/other"}`, alter: func(r *agt.Record) { r.Resource = nil }, action: "deny", outcome: "denied", recovered: "resource", verified: true, kept: `{"resource": "/other"}`},
		"further fields":           {data: `{}`, more: map[string]any{"policy_version": "v2", "approver_did": "did:boss"}, action: "deny", outcome: "denied", verified: true, kept: `{}`},
		"false further fields":     {data: `{"approver_did": "did:mallory"}`, action: "deny", outcome: "denied", lost: "approver_did", verified: true, kept: `{"approver_did": "did:mallory"}`},
	} {
		r := base
		r.Data = []byte(c.data)
		if c.alter != nil {
			c.alter(&r)
		}
		x, err := agt.ParseExported(export(t, r, c.more))
		if err != nil {
			t.Fatal(err)
		}
		e, err := x.Event()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.Action != c.action || e.Outcome != c.outcome || e.Extensions[agt.ExtRecovered] != c.recovered ||
			e.Extensions[agt.ExtLost] != c.lost || x.Verified != c.verified ||
			(e.Extensions[agt.ExtAmbiguous] != "") != c.ambiguous || c.kept != "" && string(e.Data) != c.kept {
			t.Errorf("%s: action %s, outcome %s, verified %v, data %s, %v", name, e.Action, e.Outcome, x.Verified,
				e.Data, e.Extensions)
		}
		if want := c.more["approver_did"]; want != nil &&
			(e.Extensions["agtapproverdid"] != want ||
				!slices.Contains(strings.Fields(e.Extensions[agt.ExtUnsigned]), "approver_did")) {
			t.Errorf("%s: %v", name, e.Extensions)
		}
		if e.Time != "2026-05-22T01:02:03Z" || e.SessionID != "s1" {
			t.Errorf("%s: time %s, session %s", name, e.Time, e.SessionID)
		}
	}
}

// An event without a hash says nothing of what its data has overwritten, and one whose hash does not fit says no more.
func TestExportWithoutAProof(t *testing.T) {
	raw := string(exportedEvents(t)[0])
	for name, altered := range map[string]string{
		"no hash":    strings.Replace(raw, `"agentmeshentryhash"`, `"otherhash"`, 1),
		"other data": strings.Replace(raw, `"tool": "get_user_details"`, `"tool": "set_user_details"`, 1),
		"other id":   strings.Replace(raw, "audit_372918803b964fd3", "audit_372918803b964fd4", 1),
	} {
		x, err := agt.ParseExported([]byte(altered))
		if err != nil || altered == raw || x.Verified || len(x.Ambiguous) != 5 {
			t.Errorf("%s: verified %v, ambiguous %v, %v", name, x.Verified, x.Ambiguous, err)
		}
		if e, err := x.Event(); err != nil || e.Action != "allow" ||
			!strings.Contains(string(e.Data), `"action": "allow"`) {
			t.Errorf("%s: %s, %v: all of the data should be kept", name, e.Data, err)
		}
	}
	for _, bad := range []string{
		`[]`, `{}`, `{"specversion":"0.3"}`, `{"specversion":"1.0","id":7}`,
		`{"specversion":"1.0","id":"x","datacontenttype":"text/plain","data":"x"}`, `{`,
	} {
		if _, err := agt.ParseExported([]byte(bad)); err == nil {
			t.Errorf("%s: taken", bad)
		}
	}
}

func FuzzExported(f *testing.F) {
	for _, e := range exportedEvents(f)[:3] {
		f.Add([]byte(e))
	}
	f.Add([]byte(`{"specversion":"1.0","id":"x","source":"s","type":"t","data":{"action":7},` +
		`"agentmeshentryhash":"00"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := agt.ParseExported(raw)
		if err != nil {
			return
		}
		if x.Verified == (x.Ambiguous != nil) && x.Lifted != nil {
			t.Fatalf("%q: verified %v, ambiguous %v", raw, x.Verified, x.Ambiguous)
		}
		if e, err := x.Event(); err == nil {
			if _, err := entry.ParseEvent(e.AppendJSON(nil)); err != nil {
				t.Fatalf("%q became what the log refuses: %v", raw, err)
			}
		}
	})
}
