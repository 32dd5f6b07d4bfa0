package main

import (
	"encoding/json"
	"fmt"
)

// line is an entry as one line of a stream of them, whose columns cannot wait for the longest.
func (r row) line() string {
	return fmt.Sprintf("%7d  %-30s  %-18s  %-40s  %s  %s", r.Index, cell(r.Timestamp, 40), cell(r.EventType, 32), cell(r.AgentDID, 48),
		decision(traceEntry{Action: r.Action, Outcome: r.Outcome}), cell(r.Resource, 200))
}

// colour is that of traces.
func (r row) colour() string {
	e := traceEntry{EventType: r.EventType, Action: r.Action, Outcome: r.Outcome}
	switch {
	case e.isBad():
		return red
	case e.isDenied():
		return yellow
	}
	return ""
}

// printer prints entries as they come: JSON in one line each, or a line for a person.
func (a *app) printer() func(raw []byte) error {
	style := styleOf(a.out)
	return func(raw []byte) error {
		if a.json {
			return a.encode(json.RawMessage(raw), false) // which leaves out line breaks in data
		}
		var r row
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("an entry of the answer: %w", err)
		}
		_, err := fmt.Fprint(a.out, style.line("", r.colour(), r.line()))
		return err
	}
}
