package entry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// minimal is an event of the required attributes and of members more.
func minimal(members string) []byte {
	if members != "" {
		members = "," + members
	}
	return []byte(`{"specversion":"1.0","id":"1","source":"did:mesh:alice","type":"x.y"` + members + `}`)
}

// field is the field of a FieldError, or "" with ok false if err is none.
func field(err error) (string, bool) {
	fe, ok := errors.AsType[*FieldError](err)
	if !ok {
		return "", false
	}
	return fe.Field, true
}

func TestParseEventRefuses(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ name, raw, field string }{
		{"nothing", "", ""}, {"white space", " \n", ""}, {"no canonical.Object", `[]`, ""}, {"a string", `"x"`, ""}, {"trailing data", string(minimal("")) + "x", ""},
		{"a second object", string(minimal("")) + "{}", ""}, {"a trailing comma", `{"specversion":"1.0",}`, ""}, {"cut off", `{"specversion":"1.0"`, ""},
		{"byte order mark", "\ufeff" + string(minimal("")), ""}, {"single quotes", `{'id':'1'}`, ""}, {"a comment", `{/**/}`, ""},
		{"no specversion", `{"id":"1","source":"s","type":"t"}`, "specversion"}, {"specversion 0.3", `{"specversion":"0.3","id":"1","source":"s","type":"t"}`, "specversion"},
		{"specversion 1", `{"specversion":"1","id":"1","source":"s","type":"t"}`, "specversion"}, {"specversion is a number", `{"specversion":1.0,"id":"1","source":"s","type":"t"}`, "specversion"},
		{"specversion is null", `{"specversion":null,"id":"1","source":"s","type":"t"}`, "specversion"},
		{"no id", `{"specversion":"1.0","source":"s","type":"t"}`, "id"}, {"id is null", `{"specversion":"1.0","id":null,"source":"s","type":"t"}`, "id"},
		{"id is empty", `{"specversion":"1.0","id":"","source":"s","type":"t"}`, "id"}, {"id is a number", `{"specversion":"1.0","id":1,"source":"s","type":"t"}`, "id"},
		{"no source", `{"specversion":"1.0","id":"1","type":"t"}`, "source"}, {"source is empty", `{"specversion":"1.0","id":"1","source":"","type":"t"}`, "source"},
		{"no type", `{"specversion":"1.0","id":"1","source":"s"}`, "type"}, {"type is empty", `{"specversion":"1.0","id":"1","source":"s","type":""}`, "type"},
		{"type of the log", `{"specversion":"1.0","id":"1","source":"s","type":"sealstream.config"}`, "type"},
		{"type of the log, bare", `{"specversion":"1.0","id":"1","source":"s","type":"sealstream"}`, "type"},
		{"type of the log, by mapping", `{"specversion":"1.0","id":"1","source":"s","type":"ai.agentmesh.sealstream.x"}`, "type"},
		{"type of the log, bare by mapping", `{"specversion":"1.0","id":"1","source":"s","type":"ai.agentmesh.sealstream"}`, "type"},
		{"an attribute twice", string(minimal(`"subject":"a","subject":"a"`)), "subject"}, {"an attribute twice, once escaped", string(minimal(`"subject":"a","\u0073ubject":"a"`)), "subject"},
		{"data twice", string(minimal(`"data":1,"data":1`)), "data"}, {"a name twice in data", string(minimal(`"data":{"a":1,"a":1}`)), "data"},
		{"a name twice deep in data", string(minimal(`"data":{"a":[{"b":{"c":1,"\u0063":2}}]}`)), "data"},
		{"bad UTF-8 in an attribute", string(minimal("\"subject\":\"\xff\"")), "subject"}, {"bad UTF-8 in data", string(minimal("\"data\":[\"\xff\"]")), "data"},
		{"overlong UTF-8", string(minimal("\"subject\":\"\xc0\x80\"")), "subject"}, {"surrogate in UTF-8", string(minimal("\"subject\":\"\xed\xa0\x80\"")), "subject"},
		{"lone high surrogate", string(minimal(`"subject":"\ud83d"`)), "subject"}, {"lone low surrogate", string(minimal(`"subject":"\ude02"`)), "subject"},
		{"lone surrogate in data", string(minimal(`"data":"\ud83d"`)), "data"}, {"lone surrogate in a name in data", string(minimal(`"data":{"\ud83d":1}`)), "data"},
		{"data 33 deep", string(minimal(`"data":` + strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33))), "data"},
		{"data 33 deep with strings", string(minimal(`"data":["]]]",` + strings.Repeat(`[`, 32) + `"\"["` + strings.Repeat("]", 32) + `]`)), "data"},
		{"data far too deep", string(minimal(`"data":` + strings.Repeat(`[`, 100000) + strings.Repeat("]", 100000))), "data"},
		{"data of 262145 bytes", string(minimal(`"data":"` + long(ruleset.MaxDataBytes-1) + `"`)), "data"},
		{"text data of 262145 bytes", string(minimal(`"datacontenttype":"text/plain","data":"` + long(ruleset.MaxDataBytes+1) + `"`)), "data"},
		{"an attribute of 4097 bytes", string(minimal(`"subject":"` + long(4097) + `"`)), "subject"}, {"an extension of 4097 bytes", string(minimal(`"x":"` + long(4095) + `é"`)), "x"},
		{"a name of 65", string(minimal(`"` + long(65) + `":""`)), long(65)}, {"an empty name", string(minimal(`"":""`)), ""}, {"a name in capitals", string(minimal(`"Subject":"a"`)), "Subject"},
		{"a name with a hyphen", string(minimal(`"ce-x":"a"`)), "ce-x"}, {"a name beyond ASCII", string(minimal(`"é":"a"`)), "é"}, {"a name with a control", string(minimal(`"a\u0000":"a"`)), "a\ufffd"},
		{"action", string(minimal(`"action":"permit"`)), "action"}, {"action in capitals", string(minimal(`"action":"DENY"`)), "action"}, {"action empty", string(minimal(`"action":""`)), "action"},
		{"outcome", string(minimal(`"outcome":"allow"`)), "outcome"}, {"outcome is true", string(minimal(`"outcome":true`)), "outcome"},
		{"time", string(minimal(`"time":"now"`)), "time"}, {"time of a leap second", string(minimal(`"time":"2016-12-31T23:59:60Z"`)), "time"}, {"time is a number", string(minimal(`"time":1732437000`)), "time"},
		{"agentseq with sign", string(minimal(`"agentseq":"+1"`)), "agentseq"}, {"agentseq with zero in front", string(minimal(`"agentseq":"01"`)), "agentseq"},
		{"agentseq 2^53", string(minimal(`"agentseq":"9007199254740992"`)), "agentseq"}, {"agentseq 2^64", string(minimal(`"agentseq":"18446744073709551616"`)), "agentseq"},
		{"agentprev in capitals", string(minimal(`"agentprev":"` + strings.Repeat("AB", 32) + `"`)), "agentprev"}, {"datasalt too short", string(minimal(`"datasalt":"` + strings.Repeat("ab", 31) + `"`)), "datasalt"},
		{"datasalt is a number", string(minimal(`"datasalt":1`)), "datasalt"}, {"datacontenttype empty", string(minimal(`"datacontenttype":""`)), "datacontenttype"},
		{"dataschema empty", string(minimal(`"dataschema":""`)), "dataschema"}, {"agentsignature empty", string(minimal(`"agentsignature":""`)), "agentsignature"},
		{"an integer of more than 32 bits", string(minimal(`"x":2147483648`)), "x"}, {"a fraction", string(minimal(`"x":1.0`)), "x"}, {"an exponent", string(minimal(`"x":1e1`)), "x"},
		{"an object", string(minimal(`"x":{}`)), "x"}, {"an array", string(minimal(`"x":[]`)), "x"},
		{"both forms of data", string(minimal(`"data":1,"data_base64":"AA=="`)), "data"}, {"data null and data_base64", string(minimal(`"data":null,"data_base64":"AA=="`)), "data"},
		{"data that is no string", string(minimal(`"datacontenttype":"text/plain","data":1`)), "data"}, {"data null that is no string", string(minimal(`"data":null,"datacontenttype":"text/plain"`)), "data"},
		{"base64 is a number", string(minimal(`"data_base64":1`)), "data_base64"}, {"base64 without padding", string(minimal(`"data_base64":"AAA"`)), "data_base64"},
		{"base64 with bits left over", string(minimal(`"data_base64":"AB=="`)), "data_base64"}, {"base64 with a line break", string(minimal(`"data_base64":"AA\r\n=="`)), "data_base64"},
		{"base64 for URLs", string(minimal(`"data_base64":"__8="`)), "data_base64"}, {"base64 with a space", string(minimal(`"data_base64":" AA=="`)), "data_base64"},
		{"base64 of 262145 bytes", string(minimal(`"data_base64":"` + strings.Repeat("AAAA", ruleset.MaxDataBytes/3) + `AAA="`)), "data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev, err := ParseEvent([]byte(c.raw))
			if got, ok := field(err); !ok || got != c.field {
				t.Errorf("ParseEvent: field %q, error %v; want field %q", got, err, c.field)
			}
			if !reflect.DeepEqual(ev, Event{}) {
				t.Errorf("an event came with the error: %+v", ev)
			}
			if err != nil && (len(err.Error()) > 300 || strings.Contains(err.Error(), long(300))) {
				t.Errorf("the error repeats too much of the event: %d bytes", len(err.Error()))
			}
		})
	}
}

func manyExtensions(n, size int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"ext%d":"%s"`, i, strings.Repeat("x", size))
	}
	return strings.Join(list, ",")
}

// TestForbiddenCharacters holds SPEC 3.1 for every character there is, in a value.
func TestForbiddenCharacters(t *testing.T) {
	for r := rune(0); r <= 0x10ffff; r++ {
		if r >= 0xd800 && r <= 0xdfff {
			continue
		}
		forbidden := r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0xfdd0 && r <= 0xfdef || r&0xffff == 0xfffe ||
			r&0xffff == 0xffff
		if err := checkAttribute("subject", "a"+string(r)); (err != nil) != forbidden {
			t.Fatalf("U+%04X: %v, want refused %v", r, err, forbidden)
		}
		if s := canonical.Clip("a"+string(r), 8); (s != "a"+string(r)) != forbidden {
			t.Fatalf("U+%04X: clip makes %q", r, s)
		}
	}
}

func TestParseEventTakes(t *testing.T) {
	seq := func(n uint64) *uint64 { return &n }
	salt := [32]byte{31: 7}
	base := Event{ID: "1", Source: "did:mesh:alice", Type: "x.y", EventType: "x.y"}
	for _, c := range []struct {
		members string
		want    func(e *Event)
	}{
		{``, func(e *Event) {}},
		{`"subject":"` + strings.Repeat("x", 4096) + `"`, func(e *Event) { e.Subject = strings.Repeat("x", 4096) }},
		{`"subject":null,"time":null,"x":null,"datasalt":null,"data_base64":null`, func(e *Event) {}},
		{`"time":"2026-11-24t09:30:00.5+01:00"`, func(e *Event) { e.Time = "2026-11-24T08:30:00.5Z" }},
		{`"action":"deny","outcome":"denied","policydecision":"p","matchedrule":"r","traceid":"t","sessionid":"s","targetdid":"d","agentsignature":"g"`, func(e *Event) {
			e.Action, e.Outcome, e.PolicyDecision, e.MatchedRule = "deny", "denied", "p", "r"
			e.TraceID, e.SessionID, e.TargetDID, e.Signature = "t", "s", "d", "g"
		}},
		{`"agentseq":"9007199254740991"`, func(e *Event) { e.AgentSeq = seq(canonical.MaxInteger) }},
		{`"agentseq":0`, func(e *Event) { e.AgentSeq = seq(0) }},
		{`"agentprev":"` + zeroHash + `"`, func(e *Event) { e.AgentPrev = zeroHash }},
		{`"a":"","b":true,"c":false,"d":-2147483648,"e":2147483647,"f":-0`, func(e *Event) {
			e.Extensions = map[string]string{
				"a": "", "b": "true", "c": "false", "d": "-2147483648", "e": "2147483647", "f": "0",
			}
		}},
		{`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`, func(e *Event) {
			e.TraceID, e.Extensions = "4bf92f3577b34da6a3ce929d0e0e4736", map[string]string{
				"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			}
		}},
		{`"traceid":"t","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`, func(e *Event) {
			e.TraceID, e.Extensions = "t", map[string]string{
				"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			}
		}},
		{`"data": {"a": 1} `, func(e *Event) { e.Data, e.HasData, e.rawJSON = []byte(`{"a": 1}`), true, true }},
		{`"data":null`, func(e *Event) { e.Data, e.HasData, e.rawJSON = []byte(`null`), true, true }},
		{`"data":[1e400,9223372036854775808,-0,0.10]`, func(e *Event) {
			e.Data, e.HasData, e.rawJSON = []byte(`[1e400,9223372036854775808,-0,0.10]`), true, true
		}},
		{`"datasalt":"` + strings.Repeat("00", 31) + `07","data":"\u0041"`, func(e *Event) { e.Data, e.HasData, e.rawJSON, e.Salt = []byte(`"\u0041"`), true, true, &salt }},
		{`"datasalt":"` + zeroHash + `"`, func(e *Event) {}},
		{`"data":"a\n\ud83d\ude02","datacontenttype":"text/plain"`, func(e *Event) {
			e.Data, e.HasData, e.Extensions = []byte("a\n😂"), true, map[string]string{"datacontenttype": "text/plain"}
		}},
		{`"data":"","datacontenttype":"text/plain"`, func(e *Event) {
			e.Data, e.HasData, e.Extensions = []byte{}, true, map[string]string{"datacontenttype": "text/plain"}
		}},
		{`"data_base64":"AP8="`, func(e *Event) { e.Data, e.HasData = []byte{0, 0xff}, true }},
		{`"data_base64":""`, func(e *Event) { e.Data, e.HasData = []byte{}, true }},
		{`"data":` + strings.Repeat("[", 32) + strings.Repeat("]", 32), func(e *Event) {
			e.Data, e.HasData, e.rawJSON = []byte(strings.Repeat("[", 32)+strings.Repeat("]", 32)), true, true
		}},
		{`"data":"` + strings.Repeat("x", ruleset.MaxDataBytes-2) + `"`, func(e *Event) {
			e.Data, e.HasData, e.rawJSON = []byte(`"`+strings.Repeat("x", ruleset.MaxDataBytes-2)+`"`), true, true
		}},
	} {
		want := base
		c.want(&want)
		got, err := ParseEvent(minimal(c.members))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.100s:\n got %+v, %v\nwant %+v", c.members, got, err, want)
		}
	}
}

// TestDataIsPartOfTheMessage: large data is not copied.
func TestDataIsPartOfTheMessage(t *testing.T) {
	raw := minimal(`"data":{"a":1}`)
	ev, err := ParseEvent(raw)
	if err != nil {
		t.Fatal(err)
	}
	if at := bytes.Index(raw, ev.Data); &raw[at] != &ev.Data[0] {
		t.Error("Data is a copy")
	}
	if cap(ev.Data) != len(ev.Data) {
		t.Error("an append to Data would write into the message")
	}
}

func TestParseBinary(t *testing.T) {
	good := map[string]string{"specversion": "1.0", "id": "1", "source": "did:mesh:alice", "type": "x.y"}
	with := func(more ...string) map[string]string {
		m := maps.Clone(good)
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	without := func(name string) map[string]string { m := maps.Clone(good); delete(m, name); return m }
	for _, c := range []struct {
		name        string
		headers     map[string]string
		contentType string
		body        string
		field       string // of the fault; "-": none
		data        string
	}{
		{"plain", good, "", "", "-", ""},
		{"percent-encoded", with("subject", "a%20%C3%A9%25%22", "x", "%f0%9f%98%82"), "", "", "-", ""},
		{"plus is plus", with("subject", "a+b"), "", "", "-", ""},
		{"raw UTF-8", with("subject", "é"), "", "", "-", ""},
		{"JSON by absence", good, "", " {\"a\": 1}\n", "-", `{"a": 1}`},
		{"JSON by type", good, "application/json; charset=utf-8", "[1e400]", "-", "[1e400]"},
		{"JSON by suffix", good, "application/vnd.a+json", "null", "-", "null"},
		{"text", good, "text/plain", " a\n", "-", " a\n"},
		{"bytes", good, "application/octet-stream", "\x00\xff", "-", "\x00\xff"},
		{"empty body is no data", good, "text/plain", "", "-", ""},
		{"no specversion", without("specversion"), "", "", "specversion", ""},
		{"no id", without("id"), "", "", "id", ""},
		{"specversion", with("specversion", "2.0"), "", "", "specversion", ""},
		{"bad encoding", with("subject", "%zz"), "", "", "subject", ""},
		{"encoding cut off", with("subject", "a%2"), "", "", "subject", ""},
		{"encoding cut off after %", with("subject", "a%"), "", "", "subject", ""},
		{"sign in the encoding", with("subject", "%+1"), "", "", "subject", ""},
		{"encoded bad UTF-8", with("subject", "%ff"), "", "", "subject", ""},
		{"encoded control", with("subject", "%00"), "", "", "subject", ""},
		{"empty subject", with("subject", ""), "", "", "subject", ""},
		{"datacontenttype as ce-", with("datacontenttype", "text/plain"), "", "x", "datacontenttype", ""},
		{"data as ce-", with("data", "x"), "", "", "data", ""},
		{"name with a hyphen", with("a-b", "x"), "", "", "a-b", ""},
		{"content type with a control", good, "text/plain\x00", "x", "datacontenttype", ""},
		{"bad JSON", good, "", "{", "data", ""},
		{"two JSON values", good, "", "1 2", "data", ""},
		{"white space is not JSON", good, "", " ", "data", ""},
		{"a name twice in JSON", good, "", `{"a":1,"a":1}`, "data", ""},
		{"JSON too deep", good, "", strings.Repeat("[", 33) + strings.Repeat("]", 33), "data", ""},
		{"JSON just deep enough", good, "", strings.Repeat("[", 32) + strings.Repeat("]", 32), "-", strings.Repeat("[", 32) + strings.Repeat("]", 32)},
		{"JSON of 262145 bytes", good, "", `"` + strings.Repeat("x", ruleset.MaxDataBytes-1) + `"`, "data", ""},
		{"JSON of 262144 bytes in white space", good, "", ` "` + strings.Repeat("x", ruleset.MaxDataBytes-2) + `" `, "-", `"` + strings.Repeat("x", ruleset.MaxDataBytes-2) + `"`},
		{"text of 262144 bytes", good, "text/plain", strings.Repeat("x", ruleset.MaxDataBytes), "-", strings.Repeat("x", ruleset.MaxDataBytes)},
		{"text of 262145 bytes", good, "text/plain", strings.Repeat("x", ruleset.MaxDataBytes+1), "data", ""},
		{"data_base64 as ce-", with("data_base64", "AA=="), "", "", "data_base64", ""},
	} {
		ev, err := ParseBinary(maps.All(c.headers), c.contentType, []byte(c.body), false)
		got, ok := field(err)
		if c.field == "-" && err != nil || c.field != "-" && (!ok || got != c.field) {
			t.Errorf("%s: field %q, %v; want %q", c.name, got, err, c.field)
		}
		if string(ev.Data) != c.data || c.field == "-" && ev.HasData != (len(c.body) > 0) {
			t.Errorf("%s: data %.80q (%v), want %.80q", c.name, ev.Data, ev.HasData, c.data)
		}
	}
	twice := func(yield func(string, string) bool) {
		_ = yield("specversion", "1.0") && yield("id", "1") && yield("id", "1")
	}
	if _, err := ParseBinary(twice, "", nil, false); err == nil || !strings.HasPrefix(err.Error(), "id: ") {
		t.Errorf("id twice: %v", err)
	}
}

func TestPercentEncoding(t *testing.T) {
	for _, s := range []string{"", "plain", `a "b" %c`, "é😂", "\x00\x7f\xff", "+~!"} {
		enc := canonical.PercentEncode(s)
		if strings.ContainsFunc(enc, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
			t.Errorf("canonical.PercentEncode(%q) = %q", s, enc)
		}
		if dec, err := canonical.PercentDecode(enc); err != nil || dec != s {
			t.Errorf("%q comes back as %q, %v", s, dec, err)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	for _, good := range []string{
		"null", " 1 ", "-0", "1e400", "1E+4", `"\ud83d\ude02"`, "[]", `{"a":{"b":[]}}`, `{"":1}`, "\t[1,\r\n2]",
	} {
		if err := canonical.CheckJSON([]byte(good), 2+1); err != nil {
			t.Errorf("canonical.CheckJSON(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"", " ", "nul", "True", "+1", "01", "1.", ".5", "1e", "NaN", "Infinity", "'a'", `"a`,
		`"\x"`, `"\u12"`, "\"\t\"", `"\ud800"`, `"\udc00\ud800"`, "\"\xff\"", "[1,]", "[", "{", "{1:2}",
		`{"a"}`, `{"a":1,}`, `{"a":1,"a":1}`, "1 2", "[[[[1]]]]", "/**/1", "\ufeff1", "1\x00", "\u00a01"} {
		if err := canonical.CheckJSON([]byte(bad), 3); err == nil {
			t.Errorf("canonical.CheckJSON(%q) is nil", bad)
		}
	}
	deep := []byte(strings.Repeat("[", 5_000_000))
	if err := canonical.CheckJSON(deep, 32); err == nil {
		t.Error("an endless array is taken")
	}
}

// TestJSONOfOurs: the parser agrees with encoding/json wherever that one is strict enough to compare.
func TestJSONOfOurs(t *testing.T) {
	ev, err := ParseEvent(minimal(`"subject":"a\u0022\\\/\u00e9\ud83d\ude02\u2028"`))
	var std struct{ Subject string }
	if err2 := json.Unmarshal(minimal(`"subject":"a\u0022\\\/\u00e9\ud83d\ude02\u2028"`), &std); err != nil ||
		err2 != nil || ev.Subject != std.Subject {
		t.Errorf("%q, %q: %v, %v", ev.Subject, std.Subject, err, err2)
	}
}

// TestParseEventTooWide: whether an event fits is for By to say, and before ruleset.Blinding it says
// the same by all rules of an event that is too large with any trace id.
func TestParseEventTooWide(t *testing.T) {
	raw := minimal(manyExtensions(16, 4096) + `,"traceid":"` + strings.Repeat("0", 32) + `"`)
	reasons := map[string]bool{}
	for rules := uint64(ruleset.First); rules <= ruleset.Blinding; rules++ {
		ev, err := ParseEvent(raw)
		if err != nil {
			t.Fatal(err)
		}
		err = ev.By(rules)
		if rules == ruleset.Blinding {
			if err != nil || ev.Fits(rules) == nil {
				t.Errorf("rules %d: %v, or it fits", rules, err)
			}
			continue
		}
		if name, ok := field(err); !ok || name != "" {
			t.Errorf("rules %d: %v", rules, err)
		}
		reasons[fmt.Sprint(err)] = true
	}
	if len(reasons) != 1 {
		t.Errorf("several reasons: %v", reasons)
	}
}
