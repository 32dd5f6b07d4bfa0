package entry

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func testConfig() *Config {
	return &Config{Origin: "example.com/default/00000000", Keys: []string{"example.com/default/00000000+00000000+AQ=="}, EventsCreated: "2026-11-24T08:00:00.000000000Z", Epoch: 1, Rules: Rules,
		SecretFingerprint: strings.Repeat("0", 32), Limits: DefaultLimits()}
}

// TestDetails: every kind of detail seals into a canonical leaf and reads back as it was.
func TestDetails(t *testing.T) {
	previous := uint64(7)
	later := testConfig()
	later.Previous, later.EventsOpen, later.Keys = &previous, true, []string{"a", "b\"\u2028"}
	epoch := &Epoch{Epoch: 2, EventsCreated: "2026-11-24T08:00:00.000000000Z", Reason: "disk \"lost\"", After: After{1, 99, 1 << 52, ZeroHash}}
	for _, c := range []struct {
		kind   string
		detail Detail
	}{
		{TypeConfig, testConfig()}, {TypeConfig, later}, {TypeRejected, &Rejected{Reason: "why", Digest: ZeroHash, Size: 921600, Subject: "a.b"}},
		{TypeRejected, &Rejected{Reason: "", Field: "action", Digest: ZeroHash, Subject: ""}}, {TypeDuplicate, &Duplicate{Originals: []Original{{0, 0}, {maxInteger, 255}}}},
		{TypeGap, &Gap{From: 1, To: maxInteger}}, {TypeEpoch, epoch}, {TypeControl, epoch}, {TypeErasure, &Erasure{Indexes: []uint64{0, 1, maxInteger}, Reason: "r", Authority: "a"}},
		{TypeEquivocation, &Equivocation{EntryID: "é", EventType: "x", Original: 3}},
	} {
		d := OwnDraft(handSource, c.kind, c.detail)
		e, p := d.Seal(9, ZeroHash)
		if p != nil || !e.IsOwn() || e.AgentDID != "o" || e.Timestamp != e.ReceivedAt || e.EntryID != e.OwnID() || e.IsEvent() != (c.kind == TypeEquivocation) {
			t.Errorf("%s: %s", c.kind, e.Leaf)
		}
		again, err := ParseEntry(e.Leaf)
		if err != nil || !reflect.DeepEqual(again, e) || !reflect.DeepEqual(again.Detail, c.detail) {
			t.Errorf("%s: %v\n%s\n%+v", c.kind, err, e.Leaf, again)
		}
		if canon, err := Canonicalize(e.Leaf); err != nil || !bytes.Equal(canon, e.Leaf) {
			t.Errorf("%s: not canonical: %s, %v", c.kind, e.Leaf, err)
		}
	}
}

func TestRejectedDraft(t *testing.T) {
	whole := bytes.Repeat([]byte("x"), 5000)
	cause := fmt.Errorf("wrapped: %w", &FieldError{"sub\u0000ject", strings.Repeat("é", 200) + "\n"})
	d := RejectedDraft(handSource, cause, whole, "audit.default.events.\u0085")
	e, p := d.Seal(3, ZeroHash)
	r, ok := e.Detail.(*Rejected)
	if !ok || r.Field != "sub\ufffdject" || r.Reason != strings.Repeat("é", 128) || r.Subject != "audit.default.events.\ufffd" || r.Size != 5000 || e.Publisher != "ci@example" {
		t.Fatalf("%s", e.Leaf)
	}
	if p == nil || len(p.Data) != MaxRejectedBytes || !p.Opens(e) || FormatHash(DataHash(p.Salt, whole)) != r.Digest || r.Digest == e.DataHash {
		t.Errorf("payload of %d bytes does not open", len(p.Data))
	}
	if _, err := ParseEntry(e.Leaf); err != nil {
		t.Error(err)
	}
	empty := RejectedDraft(handSource, errors.New("why"), nil, "s")
	e, p = empty.Seal(3, ZeroHash)
	if r := e.Detail.(*Rejected); p == nil || len(p.Data) != 0 || !p.Opens(e) || r.Digest != e.DataHash || r.Size != 0 || r.Field != "" || r.Reason != "why" {
		t.Errorf("%s, %+v", e.Leaf, p)
	}
	// The salt is made of the whole and of the place: neither another whole nor another place has it.
	salts := map[[32]byte]bool{}
	for _, seq := range []uint64{1, 2} {
		for _, whole := range []string{"a", "b"} {
			src := handSource
			src.Seq = seq
			d := RejectedDraft(src, errors.New("x"), []byte(whole), "s")
			_, p := d.Seal(0, ZeroHash)
			salts[p.Salt] = true
		}
	}
	if len(salts) != 4 {
		t.Errorf("%d salts", len(salts))
	}
}

func TestRejectedMessageKeepsTheHeaders(t *testing.T) {
	m := Message{Subject: "s", Data: []byte("body\n"), Header: Header{"ce-b": {"2", "1"}, "CE-A": {"x: y"}, "Content-Type": {"text/plain"}, "Other": {"no"}, "Ce-B": {"0"}}}
	if want := "ce-a: x: y\nce-b: 0\nce-b: 2\nce-b: 1\ncontent-type: text/plain\n\nbody\n"; string(m.whole()) != want {
		t.Errorf("%q, want %q", m.whole(), want)
	}
	delete(m.Header, "ce-b")
	delete(m.Header, "Ce-B")
	delete(m.Header, "CE-A")
	if string(m.whole()) != "body\n" {
		t.Errorf("%q: a content type alone is no event", m.whole())
	}
	d := RejectedMessage(handSource, errors.New("x"), m)
	if _, p := d.Seal(0, ZeroHash); string(p.Data) != "body\n" {
		t.Errorf("%q", p.Data)
	}
}

func TestMessageDigest(t *testing.T) {
	base := func() Message {
		return Message{Subject: "s", Data: []byte("d"), Header: Header{"a": {"1", "2"}, "b": {""}}, Seq: 7, Time: time.Unix(1, 0)}
	}
	m := base()
	want := m.Digest()
	m.Seq, m.Time = 8, time.Unix(2, 0)
	if m.Digest() != want {
		t.Error("sequence or time count")
	}
	for name, change := range map[string]func(m *Message){
		"subject": func(m *Message) { m.Subject = "t" }, "body": func(m *Message) { m.Data = []byte("e") }, "a byte of the subject into the body": func(m *Message) { m.Subject, m.Data = "", []byte("sd") },
		"value": func(m *Message) { m.Header["a"][0] = "3" }, "order of values": func(m *Message) { m.Header["a"] = []string{"2", "1"} }, "name": func(m *Message) { delete(m.Header, "b"); m.Header["c"] = []string{""} },
		"no header": func(m *Message) { m.Header = nil }, "values become one": func(m *Message) { m.Header["a"] = []string{"12"} }, "a header without values is none": func(m *Message) { m.Header["b"] = nil },
	} {
		m := base()
		if change(&m); m.Digest() == want {
			t.Errorf("%s does not count", name)
		}
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		m    Message
		want Mode
	}{
		{Message{Data: []byte("{}")}, Structured}, {Message{Data: nil}, Structured}, {Message{Data: []byte(" \t\r\n[")}, Batched}, {Message{Data: []byte("\ufeff[")}, Structured}, {Message{Data: []byte("\v[")}, Structured},
		{Message{Data: []byte("["), Header: Header{"CE-SPECVERSION": {"1.0"}}}, Binary}, {Message{Data: []byte("["), Header: Header{"ce-id": {"1"}}}, Batched},
	} {
		if got := c.m.Mode(); got != c.want {
			t.Errorf("%q %v: mode %d, want %d", c.m.Data, c.m.Header, got, c.want)
		}
	}
}

func TestTimes(t *testing.T) {
	if got := FormatReceived(time.Date(2026, 11, 24, 9, 30, 0, 5, time.FixedZone("", 3600))); got != "2026-11-24T08:30:00.000000005Z" {
		t.Error(got)
	}
	for _, s := range []string{"2026-11-24T08:30:00Z", "2026-11-24T08:30:00.5Z", "0000-01-01T00:00:00Z", "2026-11-24T08:30:00." + strings.Repeat("1", 30) + "Z"} {
		if _, err := ParseTime(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	got, err := ParseTime("2026-11-24T08:30:00." + strings.Repeat("9", 30) + "Z")
	if want := time.Date(2026, 11, 24, 8, 30, 0, 999999999, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("%v, %v: digits beyond nanoseconds must be cut, not rounded", got, err)
	}
	for _, s := range []string{"2026-11-24T08:30:00+00:00", "2026-11-24t08:30:00Z", "2026-11-24T08:30:00,5Z", "", "2026-11-24T08:30:60Z"} {
		if got, err := ParseTime(s); err == nil {
			t.Errorf("%s: %v", s, got)
		}
	}
}

func TestTypesMapBothWays(t *testing.T) {
	for ce, et := range toEventType {
		if EventType(ce) != et || CloudEventType(et) != ce {
			t.Errorf("%s: %s, %s", ce, EventType(ce), CloudEventType(et))
		}
	}
	if len(toEventType) != 9 || len(toCloudEventType) != 9 {
		t.Error("the table of SPEC 3.3 has nine rows, each with its own event type")
	}
	for ce, et := range map[string]string{"ai.agentmesh.rogue_detection": "rogue_detection", "ai.agentmesh.": "ai.agentmesh.", "x": "x", "AI.AGENTMESH.x": "AI.AGENTMESH.x", "ai.agentmesh.tool.invoked.x": "tool.invoked.x"} {
		if EventType(ce) != et {
			t.Errorf("%s: %s, want %s", ce, EventType(ce), et)
		}
	}
	if CloudEventType("rogue_detection") != "ai.agentmesh.rogue_detection" {
		t.Error(CloudEventType("rogue_detection"))
	}
}

func TestParseControl(t *testing.T) {
	config := string(testConfig().AppendJSON(nil))
	body := func(kind, detail string) string { return string(FormatControl("1", "admin", kind, []byte(detail))) }
	epoch := `{"after":{"input_epoch":1,"input_seq":9,"root":"` + ZeroHash + `","size":3},"epoch":2,"events_created":"2026-11-24T08:00:00.000000000Z","reason":"r"}`
	erasure := `{"authority":"a","indexes":[1,2],"reason":"r"}`
	for _, c := range []struct{ name, raw, field string }{
		{"config", body(TypeConfig, config), "-"}, {"epoch", body(TypeEpoch, epoch), "-"}, {"erasure", body(TypeErasure, erasure), "-"},
		{"members in another order", body(TypeErasure, ` { "reason" : "r" , "indexes" : [ 1 ] , "authority" : "\u0061" } `), "-"},
		{"no event", "x", ""}, {"other type", body("x.y", erasure), "type"}, {"own type that is no control", body(TypeGap, `{"from":1,"to":2}`), "type"}, {"duplicate", body(TypeDuplicate, `{"originals":[]}`), "type"},
		{"control itself", body(TypeControl, epoch), "type"}, {"no id", string(FormatControl("", "admin", TypeErasure, []byte(erasure))), "id"},
		{"no data", `{"specversion":"1.0","id":"1","source":"s","type":"sealstream.erasure"}`, "data"}, {"base64", `{"specversion":"1.0","id":"1","source":"s","type":"sealstream.erasure","data_base64":"e30="}`, "data"},
		{"data twice", `{"specversion":"1.0","id":"1","source":"s","type":"sealstream.erasure","data":{},"data":{}}`, "data"}, {"null", body(TypeErasure, "null"), "data"}, {"unknown member", body(TypeErasure, `{"authority":"a","indexes":[1],"reason":"r","x":1}`), "data"},
		{"member twice", body(TypeErasure, `{"authority":"a","authority":"b","indexes":[1],"reason":"r"}`), "data"},
		{"no indexes", body(TypeErasure, `{"authority":"a","indexes":[],"reason":"r"}`), "indexes"}, {"indexes fall", body(TypeErasure, `{"authority":"a","indexes":[2,1],"reason":"r"}`), "indexes"},
		{"index twice", body(TypeErasure, `{"authority":"a","indexes":[1,1],"reason":"r"}`), "indexes"}, {"index negative", body(TypeErasure, `{"authority":"a","indexes":[-1],"reason":"r"}`), "data"},
		{"too many indexes", body(TypeErasure, `{"authority":"a","indexes":[`+manyNumbers(1025)+`],"reason":"r"}`), "indexes"}, {"many indexes", body(TypeErasure, `{"authority":"a","indexes":[`+manyNumbers(1024)+`],"reason":"r"}`), "-"},
		{"no reason", body(TypeErasure, `{"authority":"a","indexes":[1]}`), "reason"}, {"empty reason", body(TypeErasure, `{"authority":"a","indexes":[1],"reason":""}`), "reason"},
		{"control in the reason", body(TypeErasure, `{"authority":"a","indexes":[1],"reason":"\u0000"}`), "reason"}, {"reason too long", body(TypeErasure, `{"authority":"a","indexes":[1],"reason":"`+strings.Repeat("x", 4097)+`"}`), "reason"},
		{"no authority", body(TypeErasure, `{"indexes":[1],"reason":"r"}`), "authority"},
		{"epoch's root", body(TypeEpoch, strings.Replace(epoch, ZeroHash, "00", 1)), "after"}, {"epoch's time", body(TypeEpoch, strings.Replace(epoch, ".000000000Z", "Z", 1)), "events_created"}, {"epoch's reason", body(TypeEpoch, strings.Replace(epoch, `"r"`, `""`, 1)), "reason"},
		{"origin with a space", body(TypeConfig, strings.Replace(config, `"origin":"example.com`, `"origin":"example com`, 1)), "origin"}, {"no origin", body(TypeConfig, strings.Replace(config, `"origin":"example.com/default/00000000",`, ``, 1)), "origin"},
		{"no keys", body(TypeConfig, strings.Replace(config, `"keys":["example.com/default/00000000+00000000+AQ=="]`, `"keys":[]`, 1)), "keys"}, {"an empty key", body(TypeConfig, strings.Replace(config, `"keys":[`, `"keys":["",`, 1)), "keys"},
		{"created", body(TypeConfig, strings.Replace(config, ".000000000Z", "Z", 1)), "events_created"}, {"epoch 0", body(TypeConfig, strings.Replace(config, `"epoch":1`, `"epoch":0`, 1)), "epoch"},
		{"rules", body(TypeConfig, strings.Replace(config, `"rules":1`, `"rules":3`, 1)), "rules"}, {"redaction under rules 1", body(TypeConfig, strings.Replace(config, `"rules":1`, `"redaction":{"set":0},"rules":1`, 1)), "redaction"}, {"limits", body(TypeConfig, strings.Replace(config, `"window":1048576`, `"window":1`, 1)), "limits"},
		{"a limit more", body(TypeConfig, strings.Replace(config, `"window":`, `"x":1,"window":`, 1)), "data"}, {"a limit less", body(TypeConfig, strings.Replace(config, `"data_depth":32,`, ``, 1)), "limits"},
		{"fingerprint", body(TypeConfig, strings.Replace(config, strings.Repeat("0", 32), strings.Repeat("G", 32), 1)), "secret_fingerprint"}, {"open is no boolean", body(TypeConfig, strings.Replace(config, `"events_open":false`, `"events_open":0`, 1)), "data"},
	} {
		kind, detail, err := ParseControl([]byte(c.raw))
		got, ok := field(err)
		switch {
		case c.field == "-" && (err != nil || newDetail(kind) == nil || detail == nil):
			t.Errorf("%s: %s %+v, %v", c.name, kind, detail, err)
		case c.field == "-":
			_, again, err := ParseControl([]byte(body(kind, string(detail.appendJSON(nil)))))
			if err != nil || !reflect.DeepEqual(again, detail) {
				t.Errorf("%s: comes back as %+v, %v", c.name, again, err)
			}
		case !ok || got != c.field:
			t.Errorf("%s: field %q, %v; want %q", c.name, got, err, c.field)
		}
	}
}

func manyNumbers(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i)
	}
	return strings.Join(list, ",")
}

func TestConfigFollows(t *testing.T) {
	at := uint64(5)
	next := func(change func(c *Config)) *Config { c := testConfig(); c.Previous = &at; change(c); return c }
	if err := next(func(c *Config) { c.EventsOpen = true }).Follows(testConfig(), 5); err != nil {
		t.Error(err)
	}
	other := uint64(4)
	for name, change := range map[string]func(c *Config){
		"previous": func(c *Config) { c.Previous = &other }, "no previous": func(c *Config) { c.Previous = nil }, "origin": func(c *Config) { c.Origin = "x" }, "keys": func(c *Config) { c.Keys = append(c.Keys, "x") },
		"fewer rules": func(c *Config) { c.Rules-- }, "limits": func(c *Config) { c.Limits.Window++ }, "created": func(c *Config) { c.EventsCreated = "x" }, "epoch": func(c *Config) { c.Epoch++ }, "secret": func(c *Config) { c.SecretFingerprint = "x" },
	} {
		if err := next(change).Follows(testConfig(), 5); err == nil {
			t.Errorf("%s: a config follows that must not", name)
		}
	}
}

// TestConfigKeys: keys are handed on by an overlap, and are verifier keys of the log.
func TestConfigKeys(t *testing.T) {
	const origin = "log.example.com/default/00000000"
	key := func(fill byte) string {
		raw := append([]byte{1}, bytes.Repeat([]byte{fill}, 32)...)
		h := sha256.Sum256(append([]byte(origin+"\n"), raw...))
		return fmt.Sprintf("%s+%x+%s", origin, h[:4], base64.StdEncoding.EncodeToString(raw))
	}
	a, b, c := key(1), key(2), key(3)
	at := uint64(5)
	follows := func(before, after []string) error {
		prev, next := testConfig(), testConfig()
		prev.Origin, next.Origin, next.Previous = origin, origin, &at
		prev.Keys, next.Keys = before, after
		return next.Follows(prev, at)
	}
	for _, ok := range [][2][]string{{{a}, {a, b}}, {{a, b}, {b}}, {{a, b}, {b, a}}, {{a, b}, {b, c}}, {{a}, {b, c, a}}, {{"what it began with"}, {"what it began with"}}} {
		if err := follows(ok[0], ok[1]); err != nil {
			t.Errorf("%v: %v", ok, err)
		}
	}
	otherName := strings.Replace(b, "log.example.com", "log.example.org", 1)
	for name, bad := range map[string][]string{
		"no overlap": {b}, "none": {}, "twice": {a, b, b}, "another log's": {a, otherName}, "another id": {a, strings.Replace(b, "+"+b[len(origin)+1:len(origin)+9]+"+", "+00000000+", 1)},
		"cut": {a, b[:len(b)-4]}, "another type": {a, origin + "+00000000+" + base64.StdEncoding.EncodeToString(append([]byte{2}, make([]byte, 32)...))}, "no key": {a, origin}, "empty": {a, ""},
		"another spelling": {a, strings.TrimRight(b, "=") + "=="}, "not base64": {a, b + "!"},
	} {
		if err := follows([]string{a}, bad); err == nil {
			t.Errorf("%s: keys follow that must not", name)
		}
	}
}

// TestCheckOfEventsMadeInGo: Check holds what the parsers hold, and brings the rest into its form.
func TestCheckOfEventsMadeInGo(t *testing.T) {
	ev := Event{ID: "1", Source: "s", Type: "ai.agentmesh.tool.invoked", Time: "2026-11-24T09:30:00+01:00", Extensions: map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}
	if err := ev.Check(); err != nil || ev.Time != "2026-11-24T08:30:00Z" || ev.EventType != "tool_invocation" || ev.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("%+v, %v", ev, err)
	}
	big := uint64(maxInteger + 1)
	for name, c := range map[string]struct {
		change func(e *Event)
		field  string
	}{
		"id": {func(e *Event) { e.ID = "" }, "id"}, "source": {func(e *Event) { e.Source = "\x00" }, "source"}, "type": {func(e *Event) { e.Type = "sealstream.x" }, "type"},
		"event type does not matter": {func(e *Event) { e.EventType = "sealstream.x" }, "-"}, "time": {func(e *Event) { e.Time = "x" }, "time"}, "action": {func(e *Event) { e.Action = "x" }, "action"},
		"outcome": {func(e *Event) { e.Outcome = "x" }, "outcome"}, "agent_seq": {func(e *Event) { e.AgentSeq = &big }, "agentseq"}, "agent_prev": {func(e *Event) { e.AgentPrev = "x" }, "agentprev"},
		"bad UTF-8": {func(e *Event) { e.Subject = "\xff" }, "subject"}, "an attribute as an extension": {func(e *Event) { e.Extensions = map[string]string{"subject": "x"} }, "subject"},
		"a salt as an extension": {func(e *Event) { e.Extensions = map[string]string{"datasalt": ZeroHash} }, "datasalt"}, "specversion as an extension": {func(e *Event) { e.Extensions = map[string]string{"specversion": "1.0"} }, "specversion"},
		"an extension's name": {func(e *Event) { e.Extensions = map[string]string{"A": "x"} }, "A"}, "data as an extension": {func(e *Event) { e.Extensions = map[string]string{"data": "x"} }, "data"},
		"data too large": {func(e *Event) { e.Data = make([]byte, MaxDataBytes+1) }, "data"}, "data": {func(e *Event) { e.Data = []byte("not JSON") }, "-"},
	} {
		e := Event{ID: "1", Source: "s", Type: "x"}
		c.change(&e)
		err := e.Check()
		if got, ok := field(err); c.field == "-" && err != nil || c.field != "-" && (!ok || got != c.field) {
			t.Errorf("%s: field %q, %v; want %q", name, got, err, c.field)
		}
	}
	for name, c := range map[string]struct {
		e    Event
		want bool
	}{"none": {Event{}, false}, "said, of no bytes": {Event{HasData: true}, true}, "bytes, not said": {Event{Data: []byte("x")}, true}, "no bytes, not said": {Event{Data: []byte{}}, true}} {
		e := c.e
		e.ID, e.Source, e.Type = "1", "s", "x"
		if err := e.Check(); err != nil || e.HasData != c.want {
			t.Errorf("data %s: %v, %v", name, e.HasData, err)
		}
	}
	e := Event{ID: "1", Source: "s", Type: "x"}
	if err := e.SetJSON([]byte(" {\"a\": 1} ")); err != nil || string(e.Data) != `{"a": 1}` || !e.HasData {
		t.Errorf("%q, %v", e.Data, err)
	}
	if err := e.SetJSON([]byte("{")); err == nil {
		t.Error("SetJSON takes what is no JSON")
	}
}
