// Package sse reads server-sent events.
package sse

import (
	"bufio"
	"bytes"
	"io"
	"iter"
)

// Event is one server-sent event.
type Event struct {
	ID, Name string
	Data     []byte // valid until the next event
}

// maxStreamLine limits one line of a stream, and all the data of one event. It exceeds the size of
// any entry with its data.
const maxStreamLine = 4 << 20

// Events yields the events of a stream. The last error is io.ErrUnexpectedEOF if the stream ends,
// since streams are endless, and bufio.ErrTooLong if a line or an event does not.
func Events(body io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, maxStreamLine)
		var e Event
		for lines.Scan() {
			if len(lines.Bytes()) > 0 {
				if !e.line(lines.Bytes()) {
					yield(Event{}, bufio.ErrTooLong)
					return
				}
				continue
			}
			if e.Data != nil {
				e.Data = bytes.TrimSuffix(e.Data, []byte("\n"))
				if !yield(e, nil) {
					return
				}
			}
			e = Event{Data: nil}
		}
		err := lines.Err()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		yield(Event{}, err)
	}
}

// line takes a line of the event, and reports whether its data is not too long.
func (e *Event) line(line []byte) bool {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "id":
		e.ID = string(value)
	case "event":
		e.Name = string(value)
	case "data":
		if len(e.Data)+len(value) > maxStreamLine {
			return false
		}
		e.Data = append(append(e.Data, value...), '\n')
	}
	return true
}
