package conformance_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// eventVectors is events.json: what EVENTS holds, and the log that sealing it gives.
type eventVectors struct {
	Log    string      `json:"log"`
	Secret string      `json:"secret"`
	Origin string      `json:"origin"`
	VKey   string      `json:"vkey"`
	Cases  []eventCase `json:"cases"`
}

type eventCase struct {
	Name     string         `json:"name"`
	About    string         `json:"about"`
	Messages []eventMessage `json:"messages"`
	Leaves   []blob         `json:"leaves"`
	Payloads []blob         `json:"payloads"`
}

type eventMessage struct {
	NewEvents bool   `json:"new_events,omitempty"`
	Subject   string `json:"subject"`
	Headers   header `json:"headers"`
	Body      blob   `json:"body"`
	Seq       uint64 `json:"seq"`
	Time      string `json:"time"`
}

func (m eventMessage) message(t *testing.T) entry.Message {
	t.Helper()
	at, err := canonical.ParseTime(m.Time)
	if err != nil {
		t.Fatal(err)
	}
	msg := m.Headers.message(m.Subject, m.Body)
	msg.Seq, msg.Time = m.Seq, at
	return msg
}

// sealed seals the case's messages with the sealer of a few lines.
func (c eventCase) sealed(t *testing.T, v eventVectors) *sealing {
	t.Helper()
	s := &sealing{log: v.Log, origin: v.Origin, secret: unhex(t, v.Secret)}
	list := make([]entry.Message, len(c.Messages))
	for i, m := range c.Messages {
		list[i] = m.message(t)
	}
	for i := range list {
		s.message(t, list[i], c.Messages[i].NewEvents, list[i:])
	}
	return s
}

// story writes one case: messages, and of each of them what its entries must be, as the type of
// each and, of a rejected one, the field at fault behind a space.
type story struct {
	t    *testing.T
	c    eventCase
	want []string
	seq  uint64
	base time.Time
	made *eventVectors
}

func (v *eventVectors) story(t *testing.T, name, about string, open bool) *story {
	s := &story{
		t: t, c: eventCase{Name: name, About: about, Leaves: []blob{}, Payloads: []blob{}}, made: v,
		base: time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC),
	}
	s.control("sealstream.config", string(v.config(open).AppendJSON(nil)), "sealstream.config")
	return s
}

func (v *eventVectors) config(open bool) *entry.Config {
	return &entry.Config{Origin: v.Origin, Keys: []string{v.VKey}, EventsCreated: "2026-11-24T08:00:00.000000000Z",
		EventsOpen: open, Epoch: 1,
		Rules: ruleset.First, SecretFingerprint: draft.SecretFingerprint(vectorSecret), Limits: entry.DefaultLimits()}
}

func (s *story) message(subject string, headers header, body string, want ...string) {
	s.seq++
	if headers == nil {
		headers = header{}
	}
	at := s.base.Add(time.Duration(s.seq) * 1000000001)
	s.c.Messages = append(s.c.Messages,
		eventMessage{Subject: "audit." + s.made.Log + "." + subject, Headers: headers, Body: blob(body), Seq: s.seq,
			Time: canonical.FormatReceived(at)})
	s.want = append(s.want, want...)
}

func (s *story) control(kind, detail string, want ...string) {
	s.message("control", nil,
		fmt.Sprintf(`{"specversion":"1.0","id":"c%d","source":"admin","type":"%s","data":%s}`, s.seq, kind, detail),
		want...)
}

func (s *story) open(body string, want ...string) { s.message("events.open", nil, body, want...) }

// event is a structured event of some members more, on the subject of the agent did:mesh:alice.
func (s *story) event(id, members string, want ...string) {
	s.message("events."+subject.AgentToken("did:mesh:alice"), nil, structured(id, members), want...)
}

func (s *story) binary(id string, more header, body string, want ...string) {
	h := append(header{{"ce-specversion", "1.0"}, {"ce-id", id}, {"ce-source", "did:mesh:alice"}, {
		"ce-type", "ai.agentmesh.tool.invoked",
	}}, more...)
	s.message("events."+subject.AgentToken("did:mesh:alice"), h, body, want...)
}

func structured(id, members string) string {
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf(`{"specversion":"1.0","id":"%s","source":"did:mesh:alice","type":"ai.agentmesh.tool.invoked"%s}`,
		id, members)
}

// end seals the story, and holds it against what was wanted of it.
func (s *story) end() {
	s.t.Helper()
	sealed := s.c.sealed(s.t, *s.made)
	var got []string
	for _, e := range sealed.entries {
		kind := e.EventType
		if d, ok := e.Detail.(*entry.Rejected); ok {
			kind = strings.TrimSpace("rejected " + d.Field)
		}
		got = append(got, kind)
		s.c.Leaves = append(s.c.Leaves, e.Leaf)
	}
	s.c.Payloads = append(s.c.Payloads, sealed.records...)
	if g, w := strings.Join(got, "\n"), strings.Join(s.want, "\n"); g != w {
		s.t.Errorf("%s:\ngot\n%s\nwant\n%s", s.c.Name, g, w)
		for _, e := range sealed.entries {
			if d, ok := e.Detail.(*entry.Rejected); ok {
				s.t.Logf("%d: %s: %s", e.Index, d.Field, d.Reason)
			}
		}
	}
	s.made.Cases = append(s.made.Cases, s.c)
}

const tool = "tool_invocation"

func makeEvents(t *testing.T) *eventVectors {
	signer := vectorKey(t, "sealstream.example", "default", 1)
	v := &eventVectors{
		Log: "default", Secret: hex.EncodeToString(vectorSecret), Origin: signer.Origin(), VKey: signer.VerifierKey(),
	}
	v.modes(t)
	v.data(t)
	v.attributes(t)
	v.types(t)
	v.refused(t)
	v.refusedMessages(t)
	v.repeats(t)
	v.ownEntries(t)
	v.newEpoch(t)
	v.binding(t)
	return v
}

const everyAttribute = `"specversion":"1.0","id":"e-1","source":"did:mesh:alice",` +
	`"type":"ai.agentmesh.policy.violation","subject":"file:///etc/passwd",` +
	`"time":"2026-11-24T09:29:59.123456789012+01:00","action":"deny","outcome":"denied","policydecision":"no rm",` +
	`"matchedrule":"r-7","traceid":"0af7651916cd43dd8448eb211c80319c","sessionid":"s-1","targetdid":"did:mesh:bob",` +
	`"agentseq":"41","agentprev":"00000000000000000000000000000000000000000000000000000000000000aa",` +
	`"agentsignature":"c2ln","datacontenttype":"application/json","dataschema":"https://schemas.example/a",` +
	`"cost":7,"urgent":true,"note":"é \"%\" 😂"`

// modes: one event in each mode gives the same leaf but for place and times.
func (v *eventVectors) modes(t *testing.T) {
	const data = `{"tool": "rm",  "args":["-rf", "/"]}`
	s := v.story(t, "modes",
		"one event in every mode, each time with another id: the leaves differ in id, salted hash, place and "+
			"received_at alone", true)
	alice := "events." + subject.AgentToken("did:mesh:alice")
	s.message(alice, nil, "{"+everyAttribute+`,"data": `+data+" }", "policy_violation")
	at := func(n int) string { return strings.Replace(everyAttribute, "e-1", fmt.Sprint("e-", n), 1) }
	s.message(alice, nil, " [ {"+at(2)+`,"data":`+data+"} ,\n{"+at(3)+`,"data":`+data+"}] ", "policy_violation",
		"policy_violation")
	s.message("batch.ingest-1", nil,
		`[{"event":{`+at(4)+`,"data":`+data+`},"publisher":"ci@example"},{"event": {`+at(5)+`,"data":`+data+`} }]`,
		"policy_violation", "policy_violation")
	s.message(alice, header{{"ce-specversion", "1.0"}, {"CE-Id", "e-6"}, {"ce-source", "did:mesh:alice"}, {
		"ce-type", "ai.agentmesh.policy.violation",
	},
		{"ce-subject", "file:///etc/passwd"}, {"Ce-Time", "2026-11-24T09:29:59.123456789012+01:00"}, {
			"ce-action", "deny",
		}, {"ce-outcome", "denied"},
		{"ce-policydecision", "no%20rm"}, {"ce-matchedrule", "r-7"}, {
			"ce-traceid", "0af7651916cd43dd8448eb211c80319c",
		}, {"ce-sessionid", "s-1"},
		{"ce-targetdid", "did:mesh:bob"}, {"ce-agentseq", "41"}, {
			"ce-agentprev", "00000000000000000000000000000000000000000000000000000000000000aa",
		},
		{"ce-agentsignature", "c2ln"}, {"ce-dataschema", "https://schemas.example/a"}, {"ce-cost", "7"}, {
			"ce-urgent", "true",
		},
		{"ce-note", "%C3%A9%20%22%25%22%20%F0%9F%98%82"}, {"content-type", "application/json"}, {"Nats-Other", "x"}},
		"\n"+data+"\t", "policy_violation")
	s.open("{"+at(7)+`,"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(data))+`"}`, "policy_violation")
	s.message("events.open", header{{"content-type", "application/cloudevents+json"}}, "{"+at(8)+`}`,
		"policy_violation")
	s.end()
}

// data: what the data bytes are (SPEC 3.4).
func (v *eventVectors) data(t *testing.T) {
	s := v.story(t, "data", "what the data bytes are", false)
	for i, members := range []string{
		`"data":{"big":9223372036854775808,"huge":1e400,"tiny":1E-400,"minus":-0,"id":12345678901234567890123}`, `"data": [ 1 , 2 ] `, `"data":null`, `"data":"text"`,
		`"data":"\u0041\/\ud83d\ude02"`, `"data":7`, `"data":false`, `"datacontenttype":"application/json","data":{}`, `"datacontenttype":"Text/JSON; charset=utf-8","data":{"a": 1}`,
		`"datacontenttype":"application/vnd.x+JSON;v=1","data":[]`, `"datacontenttype":"text/plain","data":"a\tb\nc\u0000"`, `"datacontenttype":"text/plain","data":""`,
		`"datacontenttype":"text/plain","data":"\ud83d\ude02\u2028"`, `"data_base64":"AP8="`, `"data_base64":""`, `"data_base64":null`, `"data_base64":"eyJhIjogMX0=","datacontenttype":"application/json"`,
		`"data_base64":"bm90IEpTT04=","datacontenttype":"application/json"`, `"datasalt":"1111111111111111111111111111111111111111111111111111111111111111","data":{"a":1}`,
		`"datasalt":"1111111111111111111111111111111111111111111111111111111111111111"`, `"data":null,"data_base64":null`, `"data":` + strings.Repeat("[", 32) + strings.Repeat("]", 32),
		`"data":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["`, `"data":{"a":{"b":"\"}]"}}`,
	} {
		s.event(fmt.Sprint("d-", i), members, tool)
	}
	s.event("d-262144", `"datacontenttype":"text/plain","data":"`+strings.Repeat("x", 262144)+`"`, tool)
	s.binary("b-0", nil, "", tool)
	s.binary("b-1", nil, " {\"a\": 1}\r\n", tool)
	s.binary("b-2", header{{"content-type", "text/plain"}}, " kept \n", tool)
	s.binary("b-3", header{{"content-type", "application/octet-stream"}}, "\x00\xff", tool)
	s.binary("b-4", header{{"Content-Type", "application/problem+json"}}, "null", tool)
	s.binary("b-5", header{{"content-type", "text/plain"}, {"ce-datasalt", strings.Repeat("22", 32)}}, "é", tool)
	s.end()
}

// attributes: their canonical strings (SPEC 3.1) and percent-decoding (3.2).
func (v *eventVectors) attributes(t *testing.T) {
	s := v.story(t, "attributes", "canonical strings, absence, traceparent, percent-encoding", false)
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for i, members := range []string{
		`"a":"","b":true,"c":false,"d":-2147483648,"e":2147483647,"f":0,"g":null`, `"subject":null,"action":null,"time":null,"datasalt":null`, `"z":-0`,
		`"traceparent":"` + parent + `"`, `"traceparent":"` + parent + `","traceid":"mine"`, `"traceparent":"01` + parent[2:] + `"`,
		`"traceparent":"` + strings.ToUpper(parent) + `"`, `"traceparent":"` + parent + `-x"`, `"traceparent":""`,
		`"subject":"` + strings.Repeat("x", 4096) + `"`, `"` + strings.Repeat("n", 64) + `":"x"`, `"subject":"\u00a0\u2028 \ufffd\ue000` + "\U0010fffd" + `"`,
		`"agentseq":"0"`, `"agentseq":7`, `"agentseq":"9007199254740991"`, `"time":"0000-01-01T00:00:00Z"`, `"time":"2026-11-24T08:29:59.` + strings.Repeat("9", 30) + `Z"`,
		`"action":"quarantine","outcome":"error"`, `"action":"warning","outcome":"failure"`, `"action":"audit","outcome":"success"`, `"partitionkey":"p","sequence":"1"`,
	} {
		s.event(fmt.Sprint("a-", i), members, tool)
	}
	s.binary("a%2Db", header{{"ce-subject", "a%20b%2520%E2%82%ac"}, {"CE-EXT", "plus+is plus"}, {"ce-empty", ""}, {
		"ce-traceparent", parent,
	}}, "", tool)
	s.binary("b", header{{"ce-subject", "é"}}, "", tool)
	s.end()
}

func (v *eventVectors) types(t *testing.T) {
	s := v.story(t, "types", "the table of types, and what is not in it", true)
	for i, c := range [][2]string{
		{"ai.agentmesh.tool.invoked", "tool_invocation"}, {"ai.agentmesh.tool.blocked", "tool_blocked"}, {"ai.agentmesh.policy.evaluation", "policy_evaluation"},
		{"ai.agentmesh.policy.violation", "policy_violation"}, {"ai.agentmesh.trust.handshake", "trust_handshake"}, {"ai.agentmesh.trust.score.updated", "trust_score_updated"},
		{"ai.agentmesh.agent.registered", "agent_registered"}, {"ai.agentmesh.agent.verified", "agent_verified"}, {"ai.agentmesh.audit.integrity.verified", "audit_integrity"},
		{"ai.agentmesh.rogue_detection", "rogue_detection"}, {"ai.agentmesh.agent_invocation", "agent_invocation"}, {"ai.agentmesh.tool.invoked.x", "tool.invoked.x"},
		{"ai.agentmesh.ai.agentmesh.sealstream.x", "ai.agentmesh.sealstream.x"}, {"ai.agentmesh.", "ai.agentmesh."}, {"AI.agentmesh.tool.invoked", "AI.agentmesh.tool.invoked"}, {"com.example.x", "com.example.x"},
		{"sealstreams", "sealstreams"}, {"Sealstream.config", "Sealstream.config"}, {" sealstream.x", " sealstream.x"},
		{"sealstream", "rejected type"}, {"sealstream.", "rejected type"}, {"sealstream.config", "rejected type"}, {"ai.agentmesh.sealstream", "rejected type"}, {"ai.agentmesh.sealstream.x", "rejected type"},
	} {
		s.open(fmt.Sprintf(`{"specversion":"1.0","id":"t-%d","source":"did:mesh:alice","type":"%s"}`, i, c[0]), c[1])
	}
	s.end()
}

func TestVectorsEvents(t *testing.T) {
	v := vectors(t, "events.json", *makeEvents(t))
	names := make([]string, len(v.Cases))
	for i, c := range v.Cases {
		names[i] = c.Name
		s := c.sealed(t, v)
		if len(s.entries) != len(c.Leaves) || len(s.records) != len(c.Payloads) {
			t.Errorf("%s: %d leaves and %d payloads, want %d and %d", c.Name, len(s.entries), len(s.records),
				len(c.Leaves), len(c.Payloads))
			continue
		}
		for j, e := range s.entries {
			equal(t, fmt.Sprintf("%s: leaf %d", c.Name, j), string(e.Leaf), string(c.Leaves[j]))
		}
		for j, r := range s.records {
			equal(t, fmt.Sprintf("%s: payload %d", c.Name, j), string(r), string(c.Payloads[j]))
		}
		c.open(t)
	}
	unique(t, "events.json", names...)
}

// open checks that the payloads open the leaves, and that no leaf with data is without one.
func (c eventCase) open(t *testing.T) {
	t.Helper()
	next := 0
	for j, leaf := range c.Leaves {
		e, err := entry.ParseEntry(leaf)
		if err != nil || e.Index != uint64(j) {
			t.Errorf("%s: leaf %d: %v", c.Name, j, err)
		}
		if e.DataHash == nil {
			continue
		}
		if next == len(c.Payloads) {
			t.Fatalf("%s: no payload for leaf %d", c.Name, j)
		}
		p, err := entry.ParsePayload(c.Payloads[next])
		if err != nil || !p.Opens(e) {
			t.Errorf("%s: payload of leaf %d does not open it: %v", c.Name, j, err)
		}
		next++
	}
	if next != len(c.Payloads) {
		t.Errorf("%s: %d payloads, %d leaves with data", c.Name, len(c.Payloads), next)
	}
}
