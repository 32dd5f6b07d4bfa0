package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// split makes the events of a request's body. Each is checked later, and stands or falls by itself; here only a batch that is no
// array at all is refused.
func split(mode entry.Mode, h http.Header, body []byte, publisher string) ([]Raw, error) {
	switch mode {
	case entry.Batched:
		elements, err := splitArray(body)
		if errors.Is(err, errTooMany) {
			return nil, problem{Status: http.StatusRequestEntityTooLarge, Detail: "the batch: " + err.Error()}
		} else if err != nil {
			return nil, problem{Status: http.StatusBadRequest, Detail: "the batch: " + err.Error()}
		}
		raws := make([]Raw, len(elements))
		for i, e := range elements {
			raws[i] = Raw{Event: e, Publisher: publisher}
		}
		return raws, nil
	case entry.Binary:
		ev, err := entry.ParseBinary(attributes(h), h.Get("Content-Type"), body)
		if err != nil {
			r := refused(nil, err)
			r.EntryID = ev.ID
			return nil, refusedProblem(r)
		}
		return []Raw{{Event: ev.AppendJSON(nil), Publisher: publisher}}, nil
	}
	return []Raw{{Event: body, Publisher: publisher}}, nil
}

// attributes yields the ce- headers as ParseBinary takes them. One that is given twice is yielded twice.
func attributes(h http.Header) func(func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for name, values := range h {
			rest, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
			for _, v := range values {
				if ok && !yield(rest, unquote(v)) {
					return
				}
			}
		}
	}
}

// unquote undoes the double quotes that the HTTP binding lets a sender put around a value (RFC 9110 section 5.6.4). Percent-encoding comes
// after it; a quote that belongs to the value is encoded, so that a value which only looks quoted is none of a careful sender.
func unquote(v string) string {
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return v
	}
	b := make([]byte, 0, len(v))
	for inner := v[1 : len(v)-1]; inner != ""; inner = inner[1:] {
		switch {
		case inner[0] == '"':
			return v
		case inner[0] == '\\' && len(inner) == 1:
			return v
		case inner[0] == '\\':
			inner = inner[1:]
		}
		b = append(b, inner[0])
	}
	return string(b)
}

// maxEvents bounds the events of one request, and with them the receipts of its answer.
const maxEvents = 65536

var errTooMany = fmt.Errorf("more than %d events; send them in several requests", maxEvents)

// splitArray finds the elements of a JSON array by its brackets, commas and strings alone, so that one bad element does not take the others
// with it, as it would in a parser. What is between the commas is for entry.ParseEvent to judge.
func splitArray(body []byte) ([][]byte, error) {
	i := skipSpace(body, 0)
	if i == len(body) || body[i] != '[' {
		return nil, errors.New("not a JSON array")
	}
	var elements [][]byte
	for i++; ; i++ {
		begin := skipSpace(body, i)
		end, err := elementEnd(body, begin)
		if err != nil {
			return nil, err
		}
		i = end
		for end > begin && isSpace(body[end-1]) {
			end--
		}
		switch {
		case len(elements) == maxEvents:
			return nil, errTooMany
		case end > begin:
			elements = append(elements, body[begin:end:end])
		case body[i] == ',' || len(elements) > 0:
			return nil, errors.New("an empty element in the JSON array")
		default:
			return nil, errors.New("an empty batch")
		}
		if body[i] == ']' {
			break
		}
	}
	if skipSpace(body, i+1) != len(body) {
		return nil, errors.New("something follows the JSON array")
	}
	return elements, nil
}

// elementEnd is the place of the comma or bracket behind an element.
func elementEnd(body []byte, i int) (int, error) {
	depth, inString := 0, false
	for ; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == ']'):
			return i, nil
		case c == '}' || c == ']':
			if depth--; depth < 0 {
				return 0, errors.New("a bracket too many in the JSON array")
			}
		}
	}
	return 0, errors.New("the JSON array does not end")
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
