package conformance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// refused: one event a message, refused for the attribute that is named.
func (v *eventVectors) refused(t *testing.T) {
	s := v.story(t, "refused", "events that are refused, each in a message of its own", true)
	long := func(n int) string { return strings.Repeat("x", n) }
	for i, c := range [][2]string{
		{`"subject":""`, "subject"}, {`"subject":"` + long(4097) + `"`, "subject"}, {`"subject":"a\u0000"`, "subject"}, {`"subject":"\n"`, "subject"}, {`"subject":"\u007f"`, "subject"},
		{`"subject":"\u0085"`, "subject"}, {`"subject":"\ufdd0"`, "subject"}, {`"subject":"\uffff"`, "subject"}, {`"subject":"` + "\U0010fffe" + `"`, "subject"},
		{`"subject":"\ud800"`, "subject"}, {"\"subject\":\"\xff\"", "subject"}, {`"subject":7`, "subject"}, {`"subject":true`, "subject"},
		{`"action":"explode"`, "action"}, {`"action":"Allow"`, "action"}, {`"outcome":"ok"`, "outcome"}, {`"action":""`, "action"},
		{`"time":"yesterday"`, "time"}, {`"time":"2016-12-31T23:59:60Z"`, "time"}, {`"time":""`, "time"}, {`"time":"2026-11-24 08:30:00Z"`, "time"},
		{`"agentseq":"07"`, "agentseq"}, {`"agentseq":"-1"`, "agentseq"}, {`"agentseq":"9007199254740992"`, "agentseq"}, {`"agentseq":""`, "agentseq"}, {`"agentseq":true`, "agentseq"},
		{`"agentprev":"` + strings.Repeat("AB", 32) + `"`, "agentprev"}, {`"agentprev":"ab"`, "agentprev"},
		{`"datasalt":"` + strings.Repeat("AB", 32) + `"`, "datasalt"}, {`"datasalt":"ab"`, "datasalt"},
		{`"datacontenttype":""`, "datacontenttype"}, {`"dataschema":""`, "dataschema"}, {`"x":2147483648`, "x"}, {`"x":-2147483649`, "x"}, {`"x":1.5`, "x"}, {`"x":1e2`, "x"},
		{`"x":{"a":1}`, "x"}, {`"x":["a"]`, "x"}, {`"X":"a"`, "X"}, {`"a-b":"a"`, "a-b"}, {`"a_b":"a"`, "a_b"}, {`"":"a"`, ""}, {`"` + long(65) + `":"a"`, long(65)}, {`"é":"a"`, "é"},
		{`"x":"a","x":"a"`, "x"}, {`"id":"2"`, "id"}, {`"data":{"a":1,"a":1}`, "data"}, {`"data":{"a":{"b":[{"c":1,"c":2}]}}`, "data"},
		{`"data":` + strings.Repeat("[", 33) + strings.Repeat("]", 33), "data"}, {`"data":"\udc00"`, "data"}, {"\"data\":\"\xff\"", "data"}, {`"data":{"a":01}`, "data"}, {`"data":{},"data_base64":"AA=="`, "data"},
		{`"data":null,"data_base64":"AA=="`, "data"}, {`"datacontenttype":"text/plain","data":{"a":1}`, "data"}, {`"datacontenttype":"text/plain","data":null`, "data"},
		{`"data_base64":"AA="`, "data_base64"}, {`"data_base64":"AA"`, "data_base64"}, {`"data_base64":"AB=="`, "data_base64"}, {`"data_base64":"A\nA=="`, "data_base64"}, {`"data_base64":"_w=="`, "data_base64"},
		{`"data_base64":7`, "data_base64"}, {`"datacontenttype":"text/plain","data":"` + long(262145) + `"`, "data"}, {`"data":"` + long(262143) + `"`, "data"},
	} {
		s.event(fmt.Sprint("r-", i), c[0], strings.TrimSpace("rejected "+c[1]))
	}
	for i, c := range [][2]string{
		{`{"specversion":"0.3","id":"1","source":"s","type":"t"}`, "specversion"}, {`{"specversion":1.0,"id":"1","source":"s","type":"t"}`, "specversion"}, {`{"id":"1","source":"s","type":"t"}`, "specversion"},
		{`{"specversion":null,"id":"1","source":"s","type":"t"}`, "specversion"}, {`{"specversion":"1.0","source":"s","type":"t"}`, "id"}, {`{"specversion":"1.0","id":"","source":"s","type":"t"}`, "id"},
		{`{"specversion":"1.0","id":1,"source":"s","type":"t"}`, "id"}, {`{"specversion":"1.0","id":"1","type":"t"}`, "source"}, {`{"specversion":"1.0","id":"1","source":"","type":"t"}`, "source"},
		{`{"specversion":"1.0","id":"1","source":"s"}`, "type"}, {`{"specversion":"1.0","id":"1","source":"s","type":""}`, "type"},
		{structured("x", "") + "{}", ""}, {structured("x", "") + ",", ""}, {"\ufeff" + structured("x", ""), ""}, {`{"specversion":"1.0"`, ""}, {"", ""}, {"\xff", ""}, {"null", ""}, {`"text"`, ""}, {"{}", "specversion"},
		{structured("x", attributesOf(15)), "rejected"}, {structured("x", attributesOf(16)), ""},
	} {
		want := strings.TrimSpace("rejected " + c[1])
		if c[1] == "rejected" {
			want = tool // 15 attributes of 4,096 bytes still fit into a leaf, 16 do not
		}
		s.open(strings.Replace(c[0], `"id":"x"`, fmt.Sprintf(`"id":"x-%d"`, i), 1), want)
	}
	s.binary("b-1", header{{"ce-id", "b-2"}}, "", "rejected id")
	s.binary("b-2", header{{"CE-ID", "b-2"}}, "", "rejected id")
	s.binary("b-3", header{{"ce-subject", "a%2"}}, "", "rejected subject")
	s.binary("b-4", header{{"ce-subject", "a%zz"}}, "", "rejected subject")
	s.binary("b-5", header{{"ce-subject", "%ff"}}, "", "rejected subject")
	s.binary("b-6", header{{"ce-subject", "%0A"}}, "", "rejected subject")
	s.binary("b-7", header{{"ce-subject", ""}}, "", "rejected subject")
	s.binary("b-8", header{{"ce-datacontenttype", "text/plain"}}, "x", "rejected datacontenttype")
	s.binary("b-9", header{{"content-type", "text/plain"}, {"Content-Type", "text/plain"}}, "x",
		"rejected datacontenttype")
	s.binary("b-10", header{{"ce-data", "x"}}, "", "rejected data")
	s.binary("b-11", nil, "not JSON", "rejected data")
	s.binary("b-12", nil, " \t\r\n", "rejected data")
	s.binary("b-13", header{{"content-type", "text/plain"}}, strings.Repeat("x", 262145), "rejected data")
	s.message("events.open", header{{"ce-specversion", "1.0"}, {"ce-source", "did:mesh:alice"}, {"ce-type", "x"}}, "",
		"rejected id")
	s.message("events.open", header{{"ce-specversion", "0.3"}, {"ce-id", "1"}, {"ce-source", "did:mesh:alice"}, {
		"ce-type", "x",
	}}, "", "rejected specversion")
	s.end()
}

// attributesOf is n extension attributes of 4,096 bytes.
func attributesOf(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"ext%d":"%s"`, i, strings.Repeat("x", 4096))
	}
	return strings.Join(list, ",")
}

// refusedMessages: what is refused as a whole, and events of arrays that are refused alone.
func (v *eventVectors) refusedMessages(t *testing.T) {
	s := v.story(t, "refused messages",
		"messages that are one rejected entry, and arrays of which only some events are", false)
	alice := "events." + subject.AgentToken("did:mesh:alice")
	s.open(structured("o-1", ""), "rejected")
	s.open("["+structured("o-1", "")+"]", "rejected")
	s.message("events."+subject.AgentToken("did:mesh:bob"), nil, structured("o-1", ""), "rejected source")
	s.message("events."+subject.AgentToken("did:mesh:bob"), nil,
		"["+structured("o-1", "")+`,{"specversion":"1.0","id":"1","source":"did:mesh:bob","type":"x.y"}]`,
		"rejected source", "x.y")
	s.message("events."+strings.ToUpper(subject.AgentToken("did:mesh:alice")), nil, structured("o-1", ""),
		"rejected source")
	s.message(alice+".x", nil, structured("o-1", ""), "rejected source")
	s.message("other", nil, structured("o-1", ""), "rejected")
	s.message("control.x", nil, structured("o-1", ""), "rejected")
	s.message("batch", nil, structured("o-1", ""), "rejected")
	s.message(alice, nil, "[]", "rejected")
	s.message(alice, nil, "["+structured("o-1", ""), "rejected")
	s.message(alice, nil, "["+structured("o-1", "")+"]]", "rejected")
	s.message(alice, nil, "["+structured("o-1", "")+",]", "rejected")
	s.message(alice, nil, "["+structured("o-1", `"x":"\ud800"`)+"]", "rejected")
	s.message(alice, nil, "["+strings.Repeat("{},", 256)+"{}]", "rejected")
	s.message(alice, nil,
		" [ 1 ,\"two\", null ,{ \"a\" : 1 } , "+structured("o-2", `"action":"x"`)+" , "+structured("o-2", "")+" ] ",
		"rejected", "rejected", "rejected", "rejected specversion", "rejected action", tool)
	s.message(alice, nil, strings.Repeat("x", 921601), "rejected")
	s.message(alice, nil, strings.Repeat("x", 4096), "rejected")
	s.message(alice, nil, strings.Repeat("é", 2048)+"x", "rejected")
	s.message(alice, header{{"CE-SpecVersion", "1.0"}, {"ce-id", "o-3"}, {"Content-Type", "text/plain"}, {
		"ce-source", "did:mesh:alice",
	}, {"X-Other", "not in the whole"}, {"ce-type", ""}}, "body\xff", "rejected type")
	s.message(alice, header{{"Ce-id", "2"}, {"ce-id", "1"}, {"ce-specversion", "1.0"}}, "", "rejected id")
	s.message("batch.i", nil,
		`[{"event":`+structured("i-1", "")+`,"publisher":"p"}, {"event":`+structured("i-2", `"action":"x"`)+
			`,"publisher":"p"},{"publisher":"p"},{"event":{},"publisher":"a\"b"},`+
			`{"event":{},"publisher":""},{"event":{},"publisher":"`+strings.Repeat("p", 257)+
			`"},{"event":{},"who":"p"},{"event":7},7,{"event":`+structured("i-3", "")+`,"publisher":null}]`,
		tool, "rejected action", "rejected event", "rejected publisher", "rejected publisher", "rejected publisher",
		"rejected who", "rejected", "rejected", "rejected publisher")
	s.message("batch.i", nil, structured("i-4", ""), "rejected")
	s.message("batch.i", nil, "[]", "rejected")
	s.control("sealstream.other", "{}", "rejected type")
	s.control("sealstream.gap", `{"from":1,"to":2}`, "rejected type")
	s.control("sealstream.erasure", `{"authority":"a","indexes":[],"reason":"r"}`, "rejected indexes")
	s.control("sealstream.erasure", `{"authority":"a","indexes":[1,1],"reason":"r"}`, "rejected indexes")
	s.control("sealstream.erasure", `{"authority":"a","indexes":[100000],"reason":"r"}`, "rejected indexes")
	s.control("sealstream.erasure", `{"authority":"","indexes":[1],"reason":"r"}`, "rejected authority")
	s.control("sealstream.erasure", `{"authority":"a","indexes":[1],"reason":"r","more":1}`, "rejected data")
	s.control("sealstream.erasure", `"text"`, "rejected data")
	s.message("control", nil, "not JSON", "rejected")
	s.end()
}

// repeats: duplicates and equivocations (SPEC 5.3, 5.4, 5.8).
func (v *eventVectors) repeats(t *testing.T) {
	s := v.story(t, "repeats", "the window: repeats and equivocations, in one message and across messages", true)
	const dup, eq = "sealstream.duplicate", "sealstream.equivocation"
	e := func(id, members string) string { return structured(id, members) }
	s.event("1", `"data":{"a":1}`, tool)                          // index 1
	s.event("1", `"data":{"a":1}`, dup)                           // the same again
	s.event("1", ` "data" : {"a":1} `, dup)                       // other spelling, the same data bytes
	s.event("1", `"data":{"a": 1}`, eq)                           // other data bytes: index 4
	s.event("1", `"data":{"a": 1}`, dup)                          // of the equivocation
	s.event("1", `"data":{"a":1}`, dup)                           // of the first
	s.event("1", `"data":{"a":1},"x":"y"`, eq)                    // names the newest, index 4
	s.event("2", `"time":"2026-11-24T08:00:00Z"`, tool)           // with a time
	s.event("2", `"time":"2026-11-24T09:00:00+01:00"`, dup)       // the same instant in canonical form
	s.event("2", `"time":"2026-11-24T08:00:00.0Z"`, eq)           // not the same string
	s.event("2", "", eq)                                          // no time at all
	s.event("2", "", dup)                                         // its received_at differs, but does not count
	s.event("3", `"time":"2026-11-24T08:30:14.000000014Z"`, tool) // its time happens to be its received_at
	s.event("3", "", dup)
	s.message("batch.i", nil,
		`[{"event":`+e("4", "")+`,"publisher":"p"},{"event":`+e("4", "")+`,"publisher":"q"},{"event":`+e("5", "")+
			`},{"event":`+e("5", `"x":"1"`)+`},{"event":`+
			e("1", `"data":{"a":1}`)+`},{"event":7},{"event":`+e("5", "")+`}]`, tool, tool, eq, "rejected", dup)
	s.message("batch.i", nil, `[{"event":`+e("4", "")+`,"publisher":"r"}]`, dup)
	// another source
	s.open(`{"specversion":"1.0","id":"1","source":"did:mesh:bob","type":"ai.agentmesh.tool.invoked","data":{"a":1}}`,
		tool)
	// another commitment
	s.event("1", `"data":{"a":1},"datasalt":"1111111111111111111111111111111111111111111111111111111111111111"`, eq)
	s.event("6", `"traceid":"0af7651916cd43dd8448eb211c80319c"`, tool)
	s.binary("6", header{{"ce-traceid", "0af7651916cd43dd8448eb211c80319c"}}, "", dup) // in another mode
	s.event("7", `"action":"explode"`, "rejected action")
	s.event("7", `"action":"explode"`, "rejected action") // what is refused does not repeat
	s.event("7", "", tool)
	s.end()
}

// ownEntries: gaps, configs, erasures.
func (v *eventVectors) ownEntries(t *testing.T) {
	s := v.story(t, "own entries", "gaps, configs, erasures", false)
	s.event("1", `"data":{"secret":"4711"}`, tool)
	s.seq++
	s.event("2", "", "sealstream.gap", tool)
	s.seq += 41
	s.message("batch.i", nil, `[{"event":`+structured("1", `"data":{"secret":"4711"}`)+`}]`, "sealstream.gap",
		"sealstream.duplicate")
	s.open(structured("3", ""), "rejected")
	config := v.config(true)
	previous := uint64(0)
	config.Previous = &previous
	s.control("sealstream.config", string(config.AppendJSON(nil)), "sealstream.config")
	s.open(structured("3", ""), tool)
	s.control("sealstream.config", string(config.AppendJSON(nil)), "rejected previous") // the newest is another now
	newest := uint64(7)
	config.Previous, config.EventsOpen = &newest, false
	other := *config
	other.Limits.Window--
	s.control("sealstream.config", string(other.AppendJSON(nil)), "rejected limits")
	other = *config
	other.Origin = "sealstream.example/default/00000000"
	s.control("sealstream.config", string(other.AppendJSON(nil)), "rejected")
	other = *config
	other.Previous = nil
	s.control("sealstream.config", string(other.AppendJSON(nil)), "rejected previous")
	s.control("sealstream.config", string(config.AppendJSON(nil)), "sealstream.config")
	s.open(structured("4", ""), "rejected")
	s.control("sealstream.erasure", `{"reason":"GDPR art. 17","indexes":[1,4],"authority":"DPO"}`, "sealstream.erasure")
	s.seq += 2
	s.control("sealstream.erasure", `{"authority":"DPO","indexes":[16,17],"reason":"its own index"}`, "sealstream.gap",
		"rejected indexes")
	s.end()
}

// newEpoch: EVENTS was made anew.
func (v *eventVectors) newEpoch(t *testing.T) {
	s := v.story(t, "new epoch", "EVENTS was lost and made anew; the epoch entry goes before what the new one holds",
		false)
	s.event("1", "", tool)
	s.event("2", "", tool)
	partial := s.c.sealed(t, *v)
	detail := func(epoch uint64) string {
		d := entry.Epoch{Epoch: epoch, EventsCreated: "2026-11-24T08:40:00.000000000Z", Reason: "disk lost",
			After: entry.After{InputEpoch: 1, InputSeq: 3, Size: 3, Root: partial.root().String()}}
		return string(d.AppendJSON(nil))
	}
	s.seq, s.base = 6, s.base.Add(20*time.Minute)
	s.event("2", "", "sealstream.epoch", "sealstream.duplicate")
	s.c.Messages[len(s.c.Messages)-1].NewEvents = true
	s.event("3", "", tool)
	s.control("sealstream.epoch", detail(2), "sealstream.control")
	s.control("sealstream.epoch", detail(3), "rejected epoch")
	s.control("sealstream.epoch", detail(2), "sealstream.control")
	s.end()
}
