package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// eventBytes is the size of an event as it is published: CloudEvents JSON, attributes and data.
const eventBytes = 1024

// event makes the n-th event of a producer: a tool call with arguments and a result, of eventBytes bytes.
func event(producer, n int) []byte {
	head := fmt.Sprintf(`{"specversion":"1.0","id":"%08x-%08x-%08x","source":"did:web:agent-%d.bench.example","type":"ai.agentmesh.tool.invoked",`+
		`"subject":"/crm/contacts/%d","time":"2026-01-02T03:04:05.%06dZ","traceid":"%032x","sessionid":"s-%d","action":"allow","outcome":"success",`+
		`"datacontenttype":"application/json","data":{"tool":"crm_lookup","arguments":{"id":%d,"nanos":17%017d},"result":"`,
		rand.Uint32(), producer, n, producer%64, n%1000, n%1000000, n/16, producer, n, n)
	const tail = `"}}`
	text := []byte(head + filler[:max(eventBytes-len(head)-len(tail), 0)] + tail)
	if last := len(text) - len(tail) - 1; text[last] == '\\' { // an escape that was cut in two
		text[last] = ' '
	}
	return text
}

// filler is text with the quotes that results of tools have.
var filler = strings.Repeat(`{\"name\": \"Mia Li\", \"note\": \"called on Tuesday about the invoice\"}, `, 16)
