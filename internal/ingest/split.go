package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// split returns the events of a request's body. Each event is checked later, by itself. split
// itself refuses only a batch that is not an array. It calls charge for the events that it finds,
// before it allocates memory for them, and stops at an error of charge.
func split(
	mode inbox.Mode,
	h http.Header,
	body []byte,
	publisher string,
	charge func(events int) error,
) ([]Raw, error) {
	if mode != inbox.Batched {
		if err := charge(1); err != nil {
			return nil, err
		}
	}
	switch mode {
	case inbox.Batched:
		elements, err := splitArray(body, charge)
		if _, refused := errors.AsType[api.Problem](err); refused || errors.Is(err, ErrBusy) {
			return nil, err
		} else if errors.Is(err, errTooMany) {
			return nil, api.Problem{Status: http.StatusRequestEntityTooLarge, Detail: "the batch: " + err.Error()}
		} else if err != nil {
			return nil, api.Problem{
				Type: api.ProblemType + "malformed", Status: http.StatusBadRequest, Detail: "the batch: " + err.Error(),
			}
		}
		raws := make([]Raw, len(elements))
		for i, e := range elements {
			raws[i] = Raw{Event: e, Publisher: publisher}
		}
		return raws, nil
	case inbox.Binary:
		ev, err := entry.ParseBinary(attributes(h), h.Get("Content-Type"), body, false)
		if err != nil {
			r := refused(nil, err)
			r.EntryID = ev.ID
			return nil, refusedProblem(r)
		}
		return []Raw{{Event: ev.AppendJSON(nil), Publisher: publisher}}, nil
	}
	return []Raw{{Event: body, Publisher: publisher}}, nil
}

// attributes yields the ce- headers for entry.ParseBinary. A header that is given twice is yielded
// twice.
func attributes(h http.Header) func(func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for name, values := range h {
			rest, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
			for _, v := range values {
				if ok && !yield(rest, inbox.UnquoteHeader(v)) {
					return
				}
			}
		}
	}
}

// maxEvents limits the events of one request, and so the receipts of its answer.
const maxEvents = 65536

var errTooMany = fmt.Errorf("more than %d events; send them in several requests", maxEvents)

// splitArray finds the elements of a JSON array by brackets, commas and strings alone. So one
// malformed element does not spoil the others, as it would in a parser. entry.ParseEvent checks
// each element later.
func splitArray(body []byte, charge func(events int) error) ([][]byte, error) {
	i := skipSpace(body, 0)
	if i == len(body) || body[i] != '[' {
		return nil, errors.New("not a JSON array")
	}
	var elements [][]byte
	for i++; ; i++ {
		start := skipSpace(body, i)
		end, err := elementEnd(body, start)
		if err != nil {
			return nil, err
		}
		i = end
		for end > start && isSpace(body[end-1]) {
			end--
		}
		switch {
		case len(elements) == maxEvents:
			return nil, errTooMany
		case end > start:
			if len(elements)%chargeStep == 0 {
				if err := charge(min(chargeStep, 1+len(body[start:])/2)); err != nil {
					return nil, err
				}
			}
			elements = append(elements, body[start:end:end])
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

// elementEnd returns the offset of the comma or bracket after an element.
func elementEnd(body []byte, i int) (int, error) {
	for depth := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			i = canonical.TextEnd(body, i+1)
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
