package conformance_test

import (
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// binding: the same messages by rules 1, and by rules 3 (SPEC 3.6), with other ids.
func (v *eventVectors) binding(t *testing.T) {
	s := v.story(t, "rules 3",
		"what rules 3 read otherwise: sealed by rules 1, and again after the config of rules 3, with other ids", false)
	s.readOtherwise("1", "rejected datacontenttype", "rejected datacontenttype", "rejected datacontenttype", tool, tool,
		tool, tool, tool, tool, tool,
		tool, tool, tool, tool, tool, "rejected")
	config := v.config(false)
	at := uint64(0)
	config.Previous, config.Rules = &at, ruleset.Binding
	s.control("sealstream.config", string(config.AppendJSON(nil)), "sealstream.config")
	s.readOtherwise("3", tool, tool, tool, tool, tool, "rejected subject", "x.y", "rejected", "rejected", tool,
		tool, tool, tool, tool, tool, tool)
	s.end()
}

// readOtherwise sends events whose ids end in the number of the rules.
func (s *story) readOtherwise(n string, want ...string) {
	send := func(id string, h header, body string) { s.binary(id+"-"+n, h, body, want[0]); want = want[1:] }
	send("1", header{{"ce-datacontenttype", "application/json"}}, ` {"a": 1} `)
	send("2", header{{"Ce-DataContentType", "text/plain%3Bcharset=utf-8"}, {"content-type", "application/json"}}, "x")
	send("3", header{{"CE-DATACONTENTTYPE", `"text/plain"`}}, "x")
	send("4", header{{"ce-subject", `"a b\\"c%22"`}, {"ce-note", `"`}, {"ce-x", `"a"b"`}}, "")
	send("5", header{{"ce-subject", `%22a%22`}, {"ce-note", `"\\`}}, "")
	send("6", header{{"ce-subject", `""`}}, "")
	body := structured("7-"+n, `"data":1`)
	body = strings.Replace(strings.Replace(body, "ai.agentmesh.tool.invoked", "x.y", 1), `"data"`,
		`"subject":"body","data"`, 1)
	send("7", header{{"Content-Type", "Application/CloudEvents"}}, body)
	send("8", header{{"content-type", "application/cloudevents+json; charset=utf-8"}}, "7")
	send("9", header{{"content-type", "application/cloudevents+avro"}}, "\x00")
	send("10", header{{"content-type", "text/plain"}}, structured("x", ""))
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	zero := strings.Repeat("0", 32)
	send("11", header{{"ce-traceparent", "00-" + zero + "-0000000000000001-01"}}, "")
	traced := func(id, members string) { s.event(id+"-"+n, members, want[0]); want = want[1:] }
	traced("12", `"traceparent":"00-`+zero+`-0000000000000001-01"`)
	traced("13", `"traceparent":"`+parent[:36]+zero[:16]+`-01"`)
	traced("14", `"traceid":"`+zero+`","traceparent":"`+parent+`"`)
	traced("15", `"traceid":"mine","traceparent":"00-`+zero+`-0000000000000001-01"`)
	traced("16", widestUntraced(zero))
}

// widestUntraced are the members of an event that has no room for a trace id in its leaf.
func widestUntraced(zero string) string {
	members := `"traceid":"` + zero + `"`
	for _, name := range strings.Split("abcdefghijklmno", "") {
		members += `,"` + name + `":"` + strings.Repeat("x", 4096) + `"`
	}
	for n := 4096; ; n-- {
		last := members + `,"z":"` + strings.Repeat("x", n) + `"`
		ev, err := entry.ParseEvent([]byte(structured("16-1", last)))
		if err == nil && ev.By(ruleset.Binding) == nil {
			return last
		}
	}
}
