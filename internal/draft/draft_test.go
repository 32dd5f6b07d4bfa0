package draft

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
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

func handEvent() entry.Event {
	n, salt := uint64(41), [32]byte{1, 2, 3}
	return entry.Event{ID: "e-1", Source: "did:mesh:alice", Type: "ai.agentmesh.tool.blocked",
		EventType: "tool_blocked", Subject: "file:///é", Time: "2026-11-24T08:29:59.5Z",
		Action: "deny", Outcome: "denied", PolicyDecision: "p", MatchedRule: `no "rm" \ `, TraceID: "t", SessionID: "s",
		TargetDID: "did:mesh:bob", AgentSeq: &n, AgentPrev: entry.Hash{}.String(),
		Signature: "c2ln", Extensions: map[string]string{
			"cost": "7", "datacontenttype": "text/plain", "empty": "",
		}, Data: []byte("rm -rf /"), HasData: true, Salt: &salt}
}

var handSource = Source{
	Log: "a-log-2", Origin: "o", Secret: bytes.Repeat([]byte{9}, 32), Epoch: 2, Seq: 34, Position: 5,
	ReceivedAt: "2026-11-24T08:30:00.000000001Z", Publisher: "ci@example",
}

func TestSealWritesTheLeaf(t *testing.T) {
	d := Event(handSource, handEvent())
	e, p := d.Seal(12, entry.Hash{})
	want := strings.Replace(handLeaf, "f2c9e6deb4fdb9bbb12dab15a0ca0ea71c2f3fed0d2ed0fed2c0d7d86d7a8f39",
		entry.DataHash([32]byte{1, 2, 3}, []byte("rm -rf /")).String(), 1)
	if string(e.Leaf) != want {
		t.Errorf("\n got %s\nwant %s", e.Leaf, want)
	}
	if p == nil || p.Index != 12 || string(p.Data) != "rm -rf /" || p.Salt != [32]byte{1, 2, 3} || !p.Opens(e) {
		t.Errorf("payload %+v", p)
	}
	if !e.IsEvent() || e.IsOwn() {
		t.Error("an agent's event is told as the log's own")
	}
	again, err := entry.ParseEntry(e.Leaf)
	if err != nil || !reflect.DeepEqual(again, e) {
		t.Errorf("%v\n got %+v\nwant %+v", err, again, e)
	}
}

// TestSealIsPure: a draft can be sealed more than once, and what one place does not leave a trace in the other.
func TestSealIsPure(t *testing.T) {
	d := Event(handSource, handEvent())
	first, _ := d.Seal(1, entry.Hash{})
	equivocation := d.Equivocation(0)
	if e, _ := equivocation.Seal(1, entry.Hash{}); e.EventType != entry.TypeEquivocation || e.EntryID == "e-1" ||
		e.Detail == nil {
		t.Errorf("%s", e.Leaf)
	}
	if e, _ := d.Seal(1, entry.Hash{}); !bytes.Equal(e.Leaf, first.Leaf) {
		t.Errorf("another leaf the second time:\n%s\n%s", e.Leaf, first.Leaf)
	}
	if a, b := equivocation.Claim(); a != "did:mesh:alice" || b != "e-1" {
		t.Errorf("claim of the equivocation: %s, %s", a, b)
	}
	if equivocation.Fingerprint() != d.Fingerprint() {
		t.Error("the equivocation has another fingerprint than its event")
	}
}

func testConfig() *entry.Config {
	return &entry.Config{Origin: "example.com/default/00000000", Keys: []string{
		"example.com/default/00000000+00000000+AQ==",
	}, EventsCreated: "2026-11-24T08:00:00.000000000Z", Epoch: 1, Rules: ruleset.First,
		SecretFingerprint: strings.Repeat("0", 32), Limits: entry.DefaultLimits()}
}

// TestDetails: every kind of detail seals into a canonical leaf and reads back as it was.
func TestDetails(t *testing.T) {
	previous := uint64(7)
	later := testConfig()
	later.Previous, later.EventsOpen, later.Keys = &previous, true, []string{"a", "b\"\u2028"}
	epoch := &entry.Epoch{
		Epoch: 2, EventsCreated: "2026-11-24T08:00:00.000000000Z", Reason: "disk \"lost\"",
		After: entry.After{InputEpoch: 1, InputSeq: 99, Size: 1 << 52, Root: entry.Hash{}.String()},
	}
	for _, c := range []struct {
		kind   string
		detail entry.Detail
	}{
		{entry.TypeConfig, testConfig()}, {entry.TypeConfig, later}, {entry.TypeRejected, &entry.Rejected{Reason: "why", Digest: entry.Hash{}.String(), Size: 921600, Subject: "a.b"}},
		{entry.TypeRejected, &entry.Rejected{Reason: "", Field: "action", Digest: entry.Hash{}.String(), Subject: ""}}, {entry.TypeDuplicate, &entry.Duplicate{Originals: []entry.Original{{Index: 0, Position: 0}, {Index: canonical.MaxInteger, Position: 255}}}},
		{entry.TypeGap, &entry.Gap{From: 1, To: canonical.MaxInteger}}, {entry.TypeEpoch, epoch}, {entry.TypeControl, epoch}, {entry.TypeErasure, &entry.Erasure{Indexes: []uint64{0, 1, canonical.MaxInteger}, Reason: "r", Authority: "a"}},
		{entry.TypeEquivocation, &entry.Equivocation{EntryID: "é", EventType: "x", Original: 3}},
	} {
		d := Own(handSource, c.kind, c.detail)
		e, p := d.Seal(9, entry.Hash{})
		if p != nil || !e.IsOwn() || e.AgentDID != "o" || e.Timestamp != e.ReceivedAt || e.EntryID != e.OwnID() ||
			e.IsEvent() != (c.kind == entry.TypeEquivocation) {
			t.Errorf("%s: %s", c.kind, e.Leaf)
		}
		again, err := entry.ParseEntry(e.Leaf)
		if err != nil || !reflect.DeepEqual(again, e) || !reflect.DeepEqual(again.Detail, c.detail) {
			t.Errorf("%s: %v\n%s\n%+v", c.kind, err, e.Leaf, again)
		}
		if canon, err := canonical.Canonicalize(e.Leaf); err != nil || !bytes.Equal(canon, e.Leaf) {
			t.Errorf("%s: not canonical: %s, %v", c.kind, e.Leaf, err)
		}
	}
}

func TestRejected(t *testing.T) {
	whole := bytes.Repeat([]byte("x"), 5000)
	cause := fmt.Errorf("wrapped: %w",
		&entry.FieldError{Field: "sub\u0000ject", Reason: strings.Repeat("é", 200) + "\n"})
	d := Rejected(handSource, cause, whole, "audit.default.events.\u0085")
	e, p := d.Seal(3, entry.Hash{})
	r, ok := e.Detail.(*entry.Rejected)
	if !ok || r.Field != "sub\ufffdject" || r.Reason != strings.Repeat("é", 128) ||
		r.Subject != "audit.default.events.\ufffd" || r.Size != 5000 || e.Publisher != "ci@example" {
		t.Fatalf("%s", e.Leaf)
	}
	if p == nil || len(p.Data) != ruleset.MaxRejectedBytes || !p.Opens(e) ||
		entry.DataHash(p.Salt, whole).String() != r.Digest || r.Digest == e.DataHash.String() {
		t.Errorf("payload of %d bytes does not open", len(p.Data))
	}
	if _, err := entry.ParseEntry(e.Leaf); err != nil {
		t.Error(err)
	}
	empty := Rejected(handSource, errors.New("why"), nil, "s")
	e, p = empty.Seal(3, entry.Hash{})
	if r := e.Detail.(*entry.Rejected); p == nil || len(p.Data) != 0 || !p.Opens(e) ||
		r.Digest != e.DataHash.String() || r.Size != 0 || r.Field != "" || r.Reason != "why" {
		t.Errorf("%s, %+v", e.Leaf, p)
	}
	// The salt is made of the whole and of the place: neither another whole nor another place has it.
	salts := map[[32]byte]bool{}
	for _, seq := range []uint64{1, 2} {
		for _, whole := range []string{"a", "b"} {
			src := handSource
			src.Seq = seq
			d := Rejected(src, errors.New("x"), []byte(whole), "s")
			_, p := d.Seal(0, entry.Hash{})
			salts[p.Salt] = true
		}
	}
	if len(salts) != 4 {
		t.Errorf("%d salts", len(salts))
	}
}

func TestRejectedMessageKeepsTheHeaders(t *testing.T) {
	m := entry.Message{
		Subject: "s", Data: []byte("body\n"),
		Header: entry.Header{
			"ce-b": {"2", "1"}, "CE-A": {"x: y"}, "Content-Type": {"text/plain"}, "Other": {"no"}, "Ce-B": {"0"},
		},
	}
	if want := "ce-a: x: y\nce-b: 0\nce-b: 2\nce-b: 1\ncontent-type: text/plain\n\nbody\n"; string(whole(m)) != want {
		t.Errorf("%q, want %q", whole(m), want)
	}
	delete(m.Header, "ce-b")
	delete(m.Header, "Ce-B")
	delete(m.Header, "CE-A")
	if string(whole(m)) != "body\n" {
		t.Errorf("%q: a content type alone is no event", whole(m))
	}
	d := RejectedMessage(handSource, errors.New("x"), m)
	if _, p := d.Seal(0, entry.Hash{}); string(p.Data) != "body\n" {
		t.Errorf("%q", p.Data)
	}
}
