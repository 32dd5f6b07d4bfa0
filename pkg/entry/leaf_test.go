package entry

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/redact"
)

const zeroHash = "0000000000000000000000000000000000000000000000000000000000000000"

// The one leaf that is written out here by hand, with every member that an event's can have.
const handLeaf = `{"action":"deny","agent_did":"did:mesh:alice","agent_prev":"` + zeroHash +
	`","agent_seq":41,"cloudevent_type":"ai.agentmesh.tool.blocked",` +
	`"data_hash":"f2c9e6deb4fdb9bbb12dab15a0ca0ea71c2f3fed0d2ed0fed2c0d7d86d7a8f39","entry_id":"e-1",` +
	`"event_type":"tool_blocked","extensions":{"cost":"7","datacontenttype":"text/plain","empty":""},"index":12,` +
	`"input_epoch":2,"input_seq":34,"log":"a-log-2","matched_rule":"no \"rm\" \\ ","outcome":"denied",` +
	`"policy_decision":"p","position":5,"previous_hash":"` + zeroHash +
	`","publisher":"ci@example","received_at":"2026-11-24T08:30:00.000000001Z","resource":"file:///é",` +
	`"session_id":"s","signature":"c2ln","target_did":"did:mesh:bob","timestamp":"2026-11-24T08:29:59.5Z",` +
	`"trace_id":"t","v":1}`

// TestParseEntryRefusesOtherSpellings changes the spelling of the leaf, but not what it says: only
// one spelling is a leaf.
func TestParseEntryRefusesOtherSpellings(t *testing.T) {
	if _, err := ParseEntry([]byte(handLeaf)); err != nil {
		t.Fatal(err)
	}
	// white space at every place where JSON allows it
	inString := false
	for i := 0; i <= len(handLeaf); i++ {
		if i > 0 && handLeaf[i-1] == '"' && (i < 2 || handLeaf[i-2] != '\\') {
			inString = !inString
		}
		if inString || i > 0 && i < len(handLeaf) && strings.ContainsRune("0123456789", rune(handLeaf[i])) &&
			strings.ContainsRune("0123456789", rune(handLeaf[i-1])) {
			continue
		}
		for _, space := range []string{" ", "\n", "\t", "\r"} {
			refused(t, handLeaf[:i]+space+handLeaf[i:])
		}
	}
	// every two members that follow each other, swapped
	members := splitMembers(handLeaf)
	for i := 1; i < len(members); i++ {
		swapped := append([]string(nil), members...)
		swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
		refused(t, "{"+strings.Join(swapped, ",")+"}")
	}
	// every member twice
	for _, m := range members {
		refused(t, "{"+m+","+handLeaf[1:])
	}
	// every character of every string escaped
	inString = false
	for i, r := range handLeaf {
		switch {
		case r == '"' && handLeaf[i-1] != '\\':
			inString = !inString
		case inString && r < 0x80 && r != '\\' && handLeaf[i-1] != '\\':
			refused(t, handLeaf[:i]+`\u00`+string(canonical.LowerHex[r>>4])+string(canonical.LowerHex[r&15])+
				handLeaf[i+1:])
		}
	}
	for _, c := range [][2]string{
		{"é", `\u00e9`}, {"é", `\u00E9`}, {`\"`, `\u0022`}, {`\\`, `\u005c`}, {"///", `\/\/\/`}, {"41", "41.0"},
		{"41", "4.1e1"}, {"41", "041"}, {"41", "+41"},
	} {
		refused(t, strings.Replace(handLeaf, c[0], c[1], 1))
	}
}

func splitMembers(leaf string) (list []string) {
	err := canonical.WalkObject([]byte(leaf), func(name string, v []byte) error {
		list = append(list, `"`+name+`":`+string(v))
		return nil
	})
	if err != nil {
		panic(err)
	}
	return list
}

func refused(t *testing.T, leaf string) {
	t.Helper()
	if e, err := ParseEntry([]byte(leaf)); !errors.Is(err, ErrLeaf) {
		t.Errorf("%v for %s", err, leaf)
	} else if !reflect.DeepEqual(e, Entry{}) {
		t.Errorf("an entry came with the error: %+v", e)
	}
}

// TestEveryBitCounts: no flipped bit of a leaf gives the same entry hash, and most give no leaf at all.
func TestEveryBitCounts(t *testing.T) {
	want := LeafHash([]byte(handLeaf))
	for i := range len(handLeaf) * 8 {
		b := []byte(handLeaf)
		b[i/8] ^= 1 << (i % 8)
		if LeafHash(b) == want {
			t.Fatalf("bit %d does not count", i)
		}
		if e, err := ParseEntry(b); err == nil && (!e.Verify() || e.EntryHash == want) {
			t.Fatalf("bit %d: hash of the old leaf", i)
		}
	}
}

func TestVerifyHash(t *testing.T) {
	e, err := ParseEntry([]byte(handLeaf))
	if err != nil || !e.Verify() {
		t.Fatal(err)
	}
	for name, change := range map[string]func(e *Entry){
		"field": func(e *Entry) { e.Outcome = "success" }, "hash": func(e *Entry) { e.EntryHash = Hash{} }, "leaf": func(e *Entry) { e.Leaf = append([]byte(" "), e.Leaf...) },
		"no leaf": func(e *Entry) { e.Leaf = nil }, "extension": func(e *Entry) { e.Extensions = map[string]string{"cost": "8"} }, "publisher": func(e *Entry) { e.Publisher = "" },
		"field and leaf": func(e *Entry) { e.Outcome = "error"; e.Leaf = e.appendLeaf(nil, false) }, "bad UTF-8": func(e *Entry) { e.SessionID = "\xff" },
		"redaction": func(e *Entry) { e.Redactions = []redact.Finding{{Kind: "email", Path: "/a"}} },
	} {
		changed := e
		if change(&changed); changed.Verify() {
			t.Errorf("%s changed, and the hash still verifies", name)
		}
	}
}

func TestMarshalJSON(t *testing.T) {
	e, err := ParseEntry([]byte(handLeaf))
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.MarshalJSON()
	if want := `{"entry_hash":"` + e.EntryHash.String() + `",` + handLeaf[1:]; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := (Entry{}).MarshalJSON(); !errors.Is(err, ErrLeaf) {
		t.Errorf("an entry that was never sealed: %v", err)
	}
}

// TestFingerprint: what the caller said counts, what the log added does not (SPEC 5.8).
func TestFingerprint(t *testing.T) {
	base := func() Entry { e, _ := ParseEntry([]byte(handLeaf)); return e }
	e := base()
	want := e.Fingerprint()
	for name, change := range map[string]func(e *Entry){
		"v": func(e *Entry) { e.V = 2 }, "log": func(e *Entry) { e.Log = "x" }, "index": func(e *Entry) { e.Index++ }, "previous_hash": func(e *Entry) { e.PreviousHash[0] = 1 },
		"received_at": func(e *Entry) { e.ReceivedAt = "2026-11-24T08:30:00.000000002Z" }, "input_epoch": func(e *Entry) { e.InputEpoch++ }, "input_seq": func(e *Entry) { e.InputSeq++ },
		"position": func(e *Entry) { e.Position++ }, "publisher": func(e *Entry) { e.Publisher = "" }, "redactions": func(e *Entry) { e.Redactions = []redact.Finding{{Kind: "a", Path: "b"}} },
	} {
		e := base()
		if change(&e); e.Fingerprint() != want {
			t.Errorf("%s counts", name)
		}
	}
	seen := map[Hash]string{want: "base"}
	for name, change := range map[string]func(e *Entry){
		"action": func(e *Entry) { e.Action = "allow" }, "agent_did": func(e *Entry) { e.AgentDID = "x" }, "agent_prev": func(e *Entry) { e.AgentPrev = "" }, "agent_seq": func(e *Entry) { e.AgentSeq = nil },
		"cloudevent_type": func(e *Entry) { e.CloudEventType = "x" }, "data_hash": func(e *Entry) { e.DataHash = nil }, "entry_id": func(e *Entry) { e.EntryID = "x" }, "event_type": func(e *Entry) { e.EventType = "x" },
		"extensions": func(e *Entry) { e.Extensions = nil }, "matched_rule": func(e *Entry) { e.MatchedRule = "" }, "outcome": func(e *Entry) { e.Outcome = "" }, "policy_decision": func(e *Entry) { e.PolicyDecision = "" },
		"resource": func(e *Entry) { e.Resource = "" }, "session_id": func(e *Entry) { e.SessionID = "" }, "signature": func(e *Entry) { e.Signature = "" }, "target_did": func(e *Entry) { e.TargetDID = "" },
		"timestamp": func(e *Entry) { e.Timestamp = "2026-11-24T08:29:59.50Z" }, "trace_id": func(e *Entry) { e.TraceID = "" }, "no timestamp": func(e *Entry) { e.Timestamp = e.ReceivedAt },
	} {
		e := base()
		change(&e)
		if other, ok := seen[e.Fingerprint()]; ok {
			t.Errorf("%s and %s have one fingerprint", name, other)
		}
		seen[e.Fingerprint()] = name
	}
	// Without a time of its own, an event is the same whenever it was received.
	a, b := base(), base()
	a.Timestamp = a.ReceivedAt
	b.ReceivedAt = "2026-11-25T00:00:00.000000000Z"
	b.Timestamp = b.ReceivedAt
	if a.Fingerprint() != b.Fingerprint() {
		t.Error("an event without a time is another one when it comes again")
	}
}

// TestRFC8785Strings: section 3.2.2.2, and the example of section 3.2.2.
func TestRFC8785Strings(t *testing.T) {
	for s, want := range map[string]string{
		"": `""`, "\x00": `"\u0000"`, "\x07": `"\u0007"`, "\b\t\n\x0b\f\r": `"\b\t\n\u000b\f\r"`, "\x1f": `"\u001f"`, "\x7f": "\"\x7f\"", `"\/`: `"\"\\/"`, "<script>&": `"<script>&"`,
		"\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/": `"€$\u000f\nA'B\"\\\\\"/"`, "\u2028": "\"\u2028\"", "😂": `"😂"`, "\ufeff": "\"\ufeff\"", "e\u0301": "\"e\u0301\"",
	} {
		if got := string(canonical.AppendString(nil, s)); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
	for c := range 0x80 {
		q := string(canonical.AppendString([]byte("x"), "a"+string(rune(c))+"b"))
		if s, err := canonical.Unquote([]byte(q[1:])); err != nil || s != "a"+string(rune(c))+"b" {
			t.Errorf("U+%04X: %s comes back as %q, %v", c, q, s, err)
		}
	}
}

func TestCanonicalize(t *testing.T) {
	for raw, want := range map[string]string{
		` { "b" : [ 1 , true , "\u0041" ] , "a" : {} } `: `{"a":{},"b":[1,true,"A"]}`, `"\/"`: `"/"`, "9007199254740991": "9007199254740991",
		"{\"\u20ac\":1,\"\\r\":2,\"\ufb33\":3,\"1\":4,\"\U0001f600\":5,\"\u0080\":6,\"\u00f6\":7}": "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"\u00f6\":7,\"\u20ac\":1,\"\U0001f600\":5,\"\ufb33\":3}",
	} {
		if got, err := canonical.Canonicalize([]byte(raw)); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", raw, got, err, want)
		}
	}
	for _, raw := range []string{
		"null", `{"a":null}`, "1.5", "1e2", "-1", "-0", "9007199254740992", `{"a":1,"a":1}`, "", "1 2", `"\ud800"`,
	} {
		if got, err := canonical.Canonicalize([]byte(raw)); err == nil {
			t.Errorf("%s: %s", raw, got)
		}
	}
}
