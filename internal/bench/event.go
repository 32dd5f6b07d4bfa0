package bench

import (
	"bytes"
	"math/rand/v2"
	"strings"
)

// eventBytes is the size of an event as it is published: CloudEvents JSON, attributes and data.
const eventBytes = 1024

// event makes the n-th event of a producer: a tool call with arguments and a result, of eventBytes
// bytes. An agent makes its events in a process of its own; here it must cost next to nothing, so
// an event is a copy of a form with the numbers put in.
func event(producer, n int) []byte { return eventOf(producer%64, producer, n) }

// traceEvents is how many events a trace has. Between two of them are those of the other producers.
const traceEvents = 50

// eventOf makes the n-th event of an agent, 0 to 999.
func eventOf(agent, producer, n int) []byte {
	text := bytes.Clone(form.text)
	values := [...]uint64{
		uint64(rand.Uint32()),
		uint64(producer),
		uint64(n),
		uint64(agent),
		uint64(n % 1000),
		uint64(producer)*1_000_000 + uint64(n/traceEvents),
		uint64(producer % 64),
		uint64(n),
	}
	for i, at := range form.places {
		putDigits(text[at.begin:at.end], values[i])
	}
	return text
}

// putDigits writes a number with leading zeros.
func putDigits(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}

type place struct{ begin, end int }

// form is an event with a place for each of the values of event.
var form = func() (f struct {
	text   []byte
	places []place
}) {
	const head = `{"specversion":"1.0","id":"@@@@@@@@@@-@@@@@@-@@@@@@@@@@","source":"did:web:agent-@@@.bench.example",` +
		`"type":"ai.agentmesh.tool.invoked","subject":"/crm/contacts/@@@","time":"2026-01-02T03:04:05.000000Z",` +
		`"traceid":"7f3a000000000000000000@@@@@@@@@@","sessionid":"s-@@","action":"allow","outcome":"success",` +
		`"datacontenttype":"application/json","data":{"tool":"crm_lookup","arguments":{"id":1,` +
		`"nanos":17@@@@@@@@@@@@@@@@},"result":"`
	const tail = `"}}`
	text := head + filler[:eventBytes-len(head)-len(tail)] + tail
	if last := len(text) - len(tail) - 1; text[last] == '\\' { // an escape that was cut in two
		text = text[:last] + " " + tail
	}
	f.text = []byte(text)
	for i := 0; i < len(head); i++ {
		if head[i] != '@' {
			continue
		}
		begin := i
		for head[i] == '@' {
			i++
		}
		f.places = append(f.places, place{begin, i})
	}
	return f
}()

// filler is text with the quotes that results of tools have.
var filler = strings.Repeat(`{\"name\": \"Mia Li\", \"note\": \"called on Tuesday about the invoice\"}, `, 16)
