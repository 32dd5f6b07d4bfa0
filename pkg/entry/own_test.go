package entry

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

func testConfig() *Config {
	return &Config{Origin: "example.com/default/00000000", Keys: []string{
		"example.com/default/00000000+00000000+AQ==",
	}, EventsCreated: "2026-11-24T08:00:00.000000000Z", Epoch: 1, Rules: ruleset.First,
		SecretFingerprint: strings.Repeat("0", 32), Limits: DefaultLimits()}
}

func TestMessageDigest(t *testing.T) {
	base := func() Message {
		return Message{
			Subject: "s", Data: []byte("d"), Header: Header{"a": {"1", "2"}, "b": {""}}, Seq: 7, Time: time.Unix(1, 0),
		}
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

func TestTimes(t *testing.T) {
	if got := canonical.FormatReceived(time.Date(2026, 11, 24, 9, 30, 0, 5,
		time.FixedZone("", 3600))); got != "2026-11-24T08:30:00.000000005Z" {
		t.Error(got)
	}
	for _, s := range []string{
		"2026-11-24T08:30:00Z", "2026-11-24T08:30:00.5Z", "0000-01-01T00:00:00Z",
		"2026-11-24T08:30:00." + strings.Repeat("1", 30) + "Z",
	} {
		if _, err := canonical.ParseTime(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	got, err := canonical.ParseTime("2026-11-24T08:30:00." + strings.Repeat("9", 30) + "Z")
	if want := time.Date(2026, 11, 24, 8, 30, 0, 999999999, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("%v, %v: digits beyond nanoseconds must be cut, not rounded", got, err)
	}
	for _, s := range []string{
		"2026-11-24T08:30:00+00:00", "2026-11-24t08:30:00Z", "2026-11-24T08:30:00,5Z", "", "2026-11-24T08:30:60Z",
	} {
		if got, err := canonical.ParseTime(s); err == nil {
			t.Errorf("%s: %v", s, got)
		}
	}
}

// controlMessage is a control message as package inbox formats it.
func controlMessage(id, kind, detail string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"admin","type":%q,"data":%s}`, id, kind, detail)
}

func TestParseControl(t *testing.T) {
	config := string(testConfig().AppendJSON(nil))
	body := func(kind, detail string) string { return controlMessage("1", kind, detail) }
	epoch := `{"after":{"input_epoch":1,"input_seq":9,"root":"` + zeroHash +
		`","size":3},"epoch":2,"events_created":"2026-11-24T08:00:00.000000000Z","reason":"r"}`
	erasure := `{"authority":"a","indexes":[1,2],"reason":"r"}`
	for _, c := range []struct{ name, raw, field string }{
		{"config", body(TypeConfig, config), "-"}, {"epoch", body(TypeEpoch, epoch), "-"}, {"erasure", body(TypeErasure, erasure), "-"},
		{"members in another order", body(TypeErasure, ` { "reason" : "r" , "indexes" : [ 1 ] , "authority" : "\u0061" } `), "-"},
		{"no event", "x", ""}, {"other type", body("x.y", erasure), "type"}, {"own type that is no control", body(TypeGap, `{"from":1,"to":2}`), "type"}, {"duplicate", body(TypeDuplicate, `{"originals":[]}`), "type"},
		{"control itself", body(TypeControl, epoch), "type"}, {"no id", controlMessage("", TypeErasure, erasure), "id"},
		{"no data", `{"specversion":"1.0","id":"1","source":"s","type":"sealstream.erasure"}`, "data"}, {"base64", `{"specversion":"1.0","id":"1","source":"s","type":"sealstream.erasure","data_base64":"e30="}`, "data"},
		{"data twice", `{"specversion":"1.0","id":"1","source":"s","type":"sealstream.erasure","data":{},"data":{}}`, "data"}, {"null", body(TypeErasure, "null"), "data"}, {"unknown member", body(TypeErasure, `{"authority":"a","indexes":[1],"reason":"r","x":1}`), "data"},
		{"member twice", body(TypeErasure, `{"authority":"a","authority":"b","indexes":[1],"reason":"r"}`), "data"},
		{"no indexes", body(TypeErasure, `{"authority":"a","indexes":[],"reason":"r"}`), "indexes"}, {"indexes fall", body(TypeErasure, `{"authority":"a","indexes":[2,1],"reason":"r"}`), "indexes"},
		{"index twice", body(TypeErasure, `{"authority":"a","indexes":[1,1],"reason":"r"}`), "indexes"}, {"index negative", body(TypeErasure, `{"authority":"a","indexes":[-1],"reason":"r"}`), "data"},
		{"too many indexes", body(TypeErasure, `{"authority":"a","indexes":[`+manyNumbers(1025)+`],"reason":"r"}`), "indexes"}, {"many indexes", body(TypeErasure, `{"authority":"a","indexes":[`+manyNumbers(1024)+`],"reason":"r"}`), "-"},
		{"no reason", body(TypeErasure, `{"authority":"a","indexes":[1]}`), "reason"}, {"empty reason", body(TypeErasure, `{"authority":"a","indexes":[1],"reason":""}`), "reason"},
		{"control in the reason", body(TypeErasure, `{"authority":"a","indexes":[1],"reason":"\u0000"}`), "reason"}, {"reason too long", body(TypeErasure, `{"authority":"a","indexes":[1],"reason":"`+strings.Repeat("x", 4097)+`"}`), "reason"},
		{"no authority", body(TypeErasure, `{"indexes":[1],"reason":"r"}`), "authority"},
		{"epoch's root", body(TypeEpoch, strings.Replace(epoch, zeroHash, "00", 1)), "after"}, {"epoch's time", body(TypeEpoch, strings.Replace(epoch, ".000000000Z", "Z", 1)), "events_created"}, {"epoch's reason", body(TypeEpoch, strings.Replace(epoch, `"r"`, `""`, 1)), "reason"},
		{"origin with a space", body(TypeConfig, strings.Replace(config, `"origin":"example.com`, `"origin":"example com`, 1)), "origin"}, {"no origin", body(TypeConfig, strings.Replace(config, `"origin":"example.com/default/00000000",`, ``, 1)), "origin"},
		{"no keys", body(TypeConfig, strings.Replace(config, `"keys":["example.com/default/00000000+00000000+AQ=="]`, `"keys":[]`, 1)), "keys"}, {"an empty key", body(TypeConfig, strings.Replace(config, `"keys":[`, `"keys":["",`, 1)), "keys"},
		{"created", body(TypeConfig, strings.Replace(config, ".000000000Z", "Z", 1)), "events_created"}, {"epoch 0", body(TypeConfig, strings.Replace(config, `"epoch":1`, `"epoch":0`, 1)), "epoch"},
		{"rules", body(TypeConfig, strings.Replace(config, `"rules":1`, `"rules":5`, 1)), "rules"}, {"redaction under rules 1", body(TypeConfig, strings.Replace(config, `"rules":1`, `"redaction":{"set":0},"rules":1`, 1)), "redaction"}, {"limits", body(TypeConfig, strings.Replace(config, `"window":1048576`, `"window":1`, 1)), "limits"},
		{"a limit more", body(TypeConfig, strings.Replace(config, `"window":`, `"x":1,"window":`, 1)), "data"}, {"a limit less", body(TypeConfig, strings.Replace(config, `"data_depth":32,`, ``, 1)), "limits"},
		{"fingerprint", body(TypeConfig, strings.Replace(config, strings.Repeat("0", 32), strings.Repeat("G", 32), 1)), "secret_fingerprint"}, {"open is no boolean", body(TypeConfig, strings.Replace(config, `"events_open":false`, `"events_open":0`, 1)), "data"},
	} {
		kind, detail, err := Message{Data: []byte(c.raw)}.Control()
		got, ok := field(err)
		switch {
		case c.field == "-" && (err != nil || newDetail(kind) == nil || detail == nil):
			t.Errorf("%s: %s %+v, %v", c.name, kind, detail, err)
		case c.field == "-":
			_, again, err := Message{Data: []byte(body(kind, string(detail.appendJSON(nil))))}.Control()
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
	for _, ok := range [][2][]string{
		{{a}, {a, b}}, {{a, b}, {b}}, {{a, b}, {b, a}}, {{a, b}, {b, c}}, {{a}, {b, c, a}},
		{{"what it began with"}, {"what it began with"}},
	} {
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
	ev := Event{
		ID: "1", Source: "s", Type: "ai.agentmesh.tool.invoked", Time: "2026-11-24T09:30:00+01:00",
		Extensions: map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	}
	if err := ev.Check(); err != nil || ev.Time != "2026-11-24T08:30:00Z" || ev.EventType != "tool_invocation" ||
		ev.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("%+v, %v", ev, err)
	}
	big := uint64(canonical.MaxInteger + 1)
	for name, c := range map[string]struct {
		change func(e *Event)
		field  string
	}{
		"id": {func(e *Event) { e.ID = "" }, "id"}, "source": {func(e *Event) { e.Source = "\x00" }, "source"}, "type": {func(e *Event) { e.Type = "sealstream.x" }, "type"},
		"event type does not matter": {func(e *Event) { e.EventType = "sealstream.x" }, "-"}, "time": {func(e *Event) { e.Time = "x" }, "time"}, "action": {func(e *Event) { e.Action = "x" }, "action"},
		"outcome": {func(e *Event) { e.Outcome = "x" }, "outcome"}, "agent_seq": {func(e *Event) { e.AgentSeq = &big }, "agentseq"}, "agent_prev": {func(e *Event) { e.AgentPrev = "x" }, "agentprev"},
		"bad UTF-8": {func(e *Event) { e.Subject = "\xff" }, "subject"}, "an attribute as an extension": {func(e *Event) { e.Extensions = map[string]string{"subject": "x"} }, "subject"},
		"a salt as an extension": {func(e *Event) { e.Extensions = map[string]string{"datasalt": zeroHash} }, "datasalt"}, "specversion as an extension": {func(e *Event) { e.Extensions = map[string]string{"specversion": "1.0"} }, "specversion"},
		"an extension's name": {func(e *Event) { e.Extensions = map[string]string{"A": "x"} }, "A"}, "data as an extension": {func(e *Event) { e.Extensions = map[string]string{"data": "x"} }, "data"},
		"data too large": {func(e *Event) { e.Data = make([]byte, ruleset.MaxDataBytes+1) }, "data"}, "data": {func(e *Event) { e.Data = []byte("not JSON") }, "-"},
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
	}{
		"none": {Event{}, false}, "said, of no bytes": {Event{HasData: true}, true},
		"bytes, not said": {Event{Data: []byte("x")}, true}, "no bytes, not said": {Event{Data: []byte{}}, true},
	} {
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
