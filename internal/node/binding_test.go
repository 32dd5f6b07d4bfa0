package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

const bindingAgent = "did:web:a.example.com"

// sentence is one sentence of the CloudEvents NATS binding 1.0.3, of the HTTP binding 1.0.3, or of
// both: what a sender sends, and what the entry then says. ID stands for the event's id in headers
// and body.
type sentence struct {
	section, says string
	headers       [][2]string // beside the required attributes, where binary
	bare          bool        // headers are all there are
	body          string
	ways          string // of events, submit and http; "": each of them
	// members of the entry, and data, with _ for white space and - for none; or the field at fault
	// of an event that is refused
	want string
}

var sentences = []sentence{
	// The modes.
	{"1.3", "binary: attributes in headers, data in the body", nil, false, `{"a":1}`, "", `event_type=tool_invocation data={"a":1}`},
	{"1.3", "structured: attributes and data in the body", [][2]string{{"Content-Type", "application/cloudevents+json"}}, true,
		`{"specversion":"1.0","id":"ID","source":"did:web:a.example.com","type":"ai.agentmesh.tool.invoked","data":{"a": 1}}`, "", `event_type=tool_invocation data={"a":_1}`},
	{"3", "application/cloudevents is matched without regard to case", [][2]string{{"content-TYPE", "Application/CloudEvents+JSON; charset=UTF-8"}}, true,
		`{"specversion":"1.0","id":"ID","source":"did:web:a.example.com","type":"t","data":[]}`, "", `event_type=t data=[] datacontenttype=-`},
	{"3", "that content type means structured, whatever ce- headers there are", [][2]string{{"Content-Type", "application/cloudevents+json"}, {"ce-subject", "header"}}, false,
		`{"specversion":"1.0","id":"ID","source":"did:web:a.example.com","type":"t","subject":"body","data":7}`, "", `event_type=t resource=body data=7 datacontenttype=-`},
	{"3", "application/cloudevents alone is enough over NATS", [][2]string{{"Content-Type", "application/cloudevents"}, {"ce-subject", "header"}}, false,
		`{"specversion":"1.0","id":"ID","source":"did:web:a.example.com","type":"t"}`, "events submit", `event_type=t resource=-`},
	{"3", "structured must be JSON", [][2]string{{"Content-Type", "application/cloudevents+json"}}, false, `<event/>`, "", `refused=`},
	{"3", "a format that is not known is not taken for data", [][2]string{{"Content-Type", "application/cloudevents+avro"}}, false, `{"a":1}`, "", `refused=*`},
	{"3.2.1", "structured without any header", nil, true, `{"specversion":"1.0","id":"ID","source":"did:web:a.example.com","type":"t","data":{"a":1}}`, "events submit",
		`event_type=t data={"a":1}`},
	{"3", "any other content type is binary", [][2]string{{"Content-Type", "application/json"}}, false, `{"specversion":"1.0","id":"x"}`, "",
		`event_type=tool_invocation data={"specversion":"1.0","id":"x"} datacontenttype=application/json`},
	{"3.3", "a batch holds its media type", [][2]string{{"Content-Type", "application/cloudevents-batch+json"}}, true,
		`[{"specversion":"1.0","id":"ID","source":"did:web:a.example.com","type":"t"}]`, "", `event_type=t`},
	{"1.3", "NATS has no batches of its own: an array is taken as one", nil, true, `[{"specversion":"1.0","id":"ID","source":"did:web:a.example.com","type":"t"}]`, "events submit",
		`event_type=t`},
	// datacontenttype and data.
	{"3.1.3.1", "datacontenttype maps to ce-datacontenttype", [][2]string{{"ce-datacontenttype", "application/json"}}, false, `{"a":1}`, "events submit",
		`data={"a":1} datacontenttype=application/json`},
	{"3.1.3.1", "in any case", [][2]string{{"CE-DataContentType", "text/plain"}}, false, `{"a":`, "events submit", `data={"a": datacontenttype=text/plain`},
	{"3.1.3.1", "it is the attribute, where there is a content type too", [][2]string{{"ce-datacontenttype", "text/plain"}, {"Content-Type", "application/json"}}, false, `{"a":`,
		"events submit", `data={"a": datacontenttype=text/plain`},
	{"3.1.3.2", "its value is encoded as any other", [][2]string{{"ce-datacontenttype", "text/plain%3B%20charset=utf-8"}}, false, `x`, "events submit",
		`data=x datacontenttype=text/plain;_charset=utf-8`},
	{"3.1.3.1", "no attribute is there twice", [][2]string{{"ce-datacontenttype", "text/plain"}, {"CE-datacontenttype", "text/plain"}}, false, `x`, "events submit", `refused=datacontenttype`},
	{"3.1.1", "over HTTP, ce-datacontenttype must not be there", [][2]string{{"ce-datacontenttype", "application/json"}}, false, `{"a":1}`, "http", `refused=datacontenttype`},
	{"3.1.1", "over HTTP, the content type is datacontenttype", [][2]string{{"Content-Type", "text/plain"}}, false, `x`, "", `data=x datacontenttype=text/plain`},
	{"2.2", "application/json;charset=utf-8 is JSON text", [][2]string{{"Content-Type", "application/json;charset=utf-8"}}, false, ` {"a":1} `, "", `data={"a":1}`},
	{"2.2", "data is bytes", [][2]string{{"Content-Type", "application/octet-stream"}}, false, "\x00\xff", "", "data=\x00\xff"},
	{"3.1.2", "the data is the body as it is", [][2]string{{"Content-Type", "text/plain"}}, false, "%41 \"q\"\n", "", "data=%41_\"q\"\n"},
	{"2.2", "what claims to be JSON must be JSON", [][2]string{{"Content-Type", "application/json"}}, false, `{"a":`, "", `refused=data`},
	{"3.1", "no body, no data", nil, false, ``, "", `data=-`},
	// Names of headers.
	{"3.1.3.1", "each attribute has the prefix ce-", [][2]string{{"ce-subject", "s"}, {"ce-time", "2026-11-30T10:00:00.5+01:00"}, {"ce-dataschema", "urn:x"}, {"ce-action", "deny"}}, false, ``, "",
		`resource=s timestamp=2026-11-30T09:00:00.5Z dataschema=urn:x action=deny`},
	{"3.1.3", "extensions too", [][2]string{{"ce-cost", "7"}, {"ce-urgent", "true"}, {"ce-partitionkey", "p"}}, false, ``, "", `cost=7 urgent=true partitionkey=p`},
	{"3.1.3.1", "names are case-insensitive", [][2]string{{"CE-SUBJECT", "s"}, {"Ce-Cost", "7"}}, false, ``, "", `resource=s cost=7`},
	{"3.1.3", "each attribute has a header of its own", [][2]string{{"ce-subject", "a"}, {"CE-Subject", "a"}}, false, ``, "", `refused=subject`},
	{"3.1.3", "a header with two values is there twice", [][2]string{{"ce-subject", "a"}, {"ce-subject", "b"}}, false, ``, "", `refused=subject`},
	{"3.1.3.1", "what has no prefix is no attribute", [][2]string{{"subject", "s"}, {"X-Cost", "7"}}, false, ``, "", `resource=- x-cost=- cost=-`},
	{"spec 3", "names are a-z and 0-9", [][2]string{{"ce-my-name", "x"}}, false, ``, "", `refused=my-name`},
	{"spec 3", "data is no attribute", [][2]string{{"ce-data", "x"}}, false, ``, "", `refused=data`},
	{"spec 3", "an attribute that is there is not empty", [][2]string{{"ce-subject", ""}}, false, ``, "", `refused=subject`},
	{"spec 3", "an extension may be empty", [][2]string{{"ce-note", ""}}, false, ``, "", `note=`},
	{"spec 3", "specversion is 1.0", [][2]string{{"ce-specversion", "0.3"}, {"ce-id", "ID"}, {"ce-source", bindingAgent}, {"ce-type", "t"}}, true, ``, "", `refused=specversion`},
	{"spec 3", "id is required", [][2]string{{"ce-specversion", "1.0"}, {"ce-source", bindingAgent}, {"ce-type", "t"}}, true, ``, "", `refused=id`},
	// Values of headers.
	{"3.1.3.2", "one round of percent-decoding", [][2]string{{"ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80"}, {"ce-note", "a%2520b"}}, false, ``, "", `resource=Euro_€_😀 note=a%20b`},
	{"3.1.3.2", "lower-case hexadecimal is accepted", [][2]string{{"ce-subject", "%e2%82%ac"}}, false, ``, "", `resource=€`},
	{"3.1.3.2", "what need not be encoded is accepted", [][2]string{{"ce-subject", "%61b%63"}}, false, ``, "", `resource=abc`},
	{"3.1.3.2", "an overlong encoding is refused", [][2]string{{"ce-subject", "%C0%A0"}}, false, ``, "", `refused=subject`},
	{"3.1.3.2", "so are other bytes that are no UTF-8", [][2]string{{"ce-subject", "%ff"}}, false, ``, "", `refused=subject`},
	{"3.1.3.2", "and half a surrogate pair", [][2]string{{"ce-subject", "%ED%A0%80"}}, false, ``, "", `refused=subject`},
	{"spec 3.1", "and a control character", [][2]string{{"ce-subject", "a%0Ab"}}, false, ``, "", `refused=subject`},
	{"3.1.3.2", "an encoding that breaks off is refused", [][2]string{{"ce-subject", "a%2"}}, false, ``, "", `refused=subject`},
	{"3.1.3.2", "double quotes are taken off", [][2]string{{"ce-subject", `"a b"`}, {"ce-id", `"ID"`}}, false, ``, "", `resource=a_b entry_id=ID`},
	{"3.1.3.2", "from required attributes too", [][2]string{{"ce-specversion", `"1.0"`}, {"ce-id", `"ID"`}, {"ce-source", `"` + bindingAgent + `"`}, {"ce-type", `"t"`}}, true, ``, "", `event_type=t`},
	{"3.1.3.2", "backslashes in them are taken off", [][2]string{{"ce-subject", `"a\"b\\c"`}}, false, ``, "", `resource=a"b\c`},
	{"3.1.3.2", "percent-decoding comes after that", [][2]string{{"ce-subject", `"a%20b%22"`}}, false, ``, "", `resource=a_b"`},
	{"3.1.3.2", "quotes that are encoded stay", [][2]string{{"ce-subject", `%22a%22`}}, false, ``, "", `resource="a"`},
	{"3.1.3.2", "quotes inside a value stay", [][2]string{{"ce-subject", `a"b"c`}}, false, ``, "", `resource=a"b"c`},
	{"3.1.3.2", "an empty value in quotes is empty", [][2]string{{"ce-subject", `""`}}, false, ``, "", `refused=subject`},
	{"3.1.3.2", "comments are not supported", [][2]string{{"ce-subject", `a(b)`}}, false, ``, "", `resource=a(b)`},
	{"3.1.3.2", "white space around a value is none of it", [][2]string{{"ce-subject", ` s `}, {"ce-note", "\t\"q\" "}}, false, ``, "", `resource=s note=q`},
	{"3.1.3.2", "values are the canonical strings of their types", [][2]string{{"ce-agentseq", "12"}, {"ce-flag", "false"}}, false, ``, "", `agent_seq=12 flag=false`},
	// Trace Context, which the distributed tracing extension carries.
	{"trace 3.2.2.3", "a trace id of zeros is none", [][2]string{{"ce-traceparent", "00-00000000000000000000000000000000-0000000000000001-01"}}, false, ``, "", `trace_id=-`},
	{"trace 3.2.2.4", "nor is one with a parent id of zeros", [][2]string{{"ce-traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"}}, false, ``, "", `trace_id=-`},
	{"trace 3.2.2.3", "nor one that is given by itself", [][2]string{{"ce-traceid", "00000000000000000000000000000000"}}, false, ``, "", `trace_id=-`},
	{"trace 3.2.2.3", "in the body too", [][2]string{{"Content-Type", "application/cloudevents+json"}}, true,
		`{"specversion":"1.0","id":"ID","source":"did:web:a.example.com","type":"t","traceparent":"00-00000000000000000000000000000000-0000000000000001-01"}`, "", `trace_id=-`},
	{"trace 3.2.2.3", "any other is one", [][2]string{{"ce-traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}, false, ``, "", `trace_id=4bf92f3577b34da6a3ce929d0e0e4736`},
}

// send sends a sentence in one way, and says where the event is stored, or which field it was refused for.
func (s sentence) send(t *testing.T, n *Node, nc *nats.Conn, way, id string) (seq uint64, refused string) {
	t.Helper()
	header := http.Header{}
	for _, h := range s.headers {
		header[h[0]] = append(header[h[0]], strings.ReplaceAll(h[1], "ID", id))
	}
	if !s.bare {
		for name, value := range map[string]string{
			"ce-specversion": "1.0", "ce-id": id, "ce-source": bindingAgent, "ce-type": "ai.agentmesh.tool.invoked",
		} {
			if header[name] == nil {
				header[name] = []string{value}
			}
		}
	}
	body := strings.ReplaceAll(s.body, "ID", id)
	var answer []byte
	if way == "http" {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL()+"/v1/events",
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if answer, err = io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
	} else {
		to := subject.Events("default", subject.AgentToken(bindingAgent))
		if way == "submit" {
			to = subject.Submit("default", subject.AgentToken(bindingAgent))
		}
		m, err := nc.RequestMsg(&nats.Msg{Subject: to, Header: nats.Header(header), Data: []byte(body)}, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		answer = m.Data
	}
	var got struct {
		Seq      uint64
		Status   int
		Field    string
		Receipts []api.Receipt
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	switch {
	case got.Seq > 0:
		return got.Seq, ""
	case got.Status >= 400 || got.Receipts[0].Error != nil:
		return 0, "=" + got.Field
	}
	return got.Receipts[0].InputSeq, ""
}

// check holds an entry against what is wanted of it.
func (s sentence) check(f query.Found, id string) error {
	e := f.Entry
	if r, ok := e.Detail.(*entry.Rejected); ok {
		return s.refused("=" + r.Field)
	}
	var members map[string]any
	if err := json.Unmarshal(e.Leaf, &members); err != nil {
		return err
	}
	if x, ok := members["extensions"].(map[string]any); ok {
		maps.Copy(members, x)
	}
	if f.Payload != nil {
		members["data"] = string(f.Payload.Data)
	}
	if e.EntryID != id {
		return fmt.Errorf("it is %q", e.EntryID)
	}
	for _, want := range strings.Fields(strings.ReplaceAll(s.want, "\n", "_")) {
		name, value, _ := strings.Cut(want, "=")
		got, ok := members[name]
		text := strings.NewReplacer(" ", "_", "\n", "_").Replace(fmt.Sprint(got))
		if value = strings.ReplaceAll(value, "ID", id); !ok && value != "-" || ok && text != value {
			return fmt.Errorf("%s is %q, want %q", name, text, value)
		}
	}
	return nil
}

func (s sentence) refused(field string) error {
	if s.want != "refused"+field && s.want != "refused=*" {
		return fmt.Errorf("refused for %q", field)
	}
	return nil
}

// TestBindings sends each sentence in each way that it is about.
func TestBindings(t *testing.T) {
	n := upForTest(t)
	nc, err := nats.Connect(n.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	type sent struct {
		sentence
		way, id string
	}
	bySeq := map[uint64]sent{}
	for i, s := range sentences {
		for _, way := range []string{"events", "submit", "http"} {
			if s.ways != "" && !strings.Contains(s.ways, way) {
				continue
			}
			id := fmt.Sprintf("b-%d-%s", i, way)
			seq, refused := s.send(t, n, nc, way, id)
			if seq > 0 {
				bySeq[seq] = sent{s, way, id}
			} else if err := s.refused(refused); err != nil {
				t.Errorf("%s: %s, over %s: %v", s.section, s.says, way, err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(access.With(t.Context(), access.Open), 10*time.Second)
	defer cancel()
	last := slices.Max(slices.Collect(maps.Keys(bySeq)))
	var list []query.Found
	for len(list) == 0 || list[len(list)-1].Entry.InputSeq < last {
		page, err := n.pipeline.query.Entries(ctx, api.Filter{}, query.Page{Limit: query.MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		list = page.Entries
	}
	for _, f := range list {
		s, ok := bySeq[f.Entry.InputSeq]
		if !ok {
			continue
		}
		delete(bySeq, f.Entry.InputSeq)
		if err := s.check(f, s.id); err != nil {
			t.Errorf("%s: %s, over %s: %v", s.section, s.says, s.way, err)
		}
		if strings.HasPrefix(s.want, "refused") && f.Entry.IsEvent() {
			t.Errorf("%s: %s, over %s: it is taken", s.section, s.says, s.way)
		}
	}
	for seq, s := range bySeq {
		t.Errorf("%s: %s, over %s: no entry of EVENTS sequence %d", s.section, s.says, s.way, seq)
	}
}
