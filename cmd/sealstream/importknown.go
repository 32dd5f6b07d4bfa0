package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
)

// importAsks is how many questions are under way at a time.
const importAsks = 8

// unknown leaves out the events of a group that the log has already, and counts them. The log's own window of repeats would not do: an import may
// be done again after a million other entries, and a trail and an export of the same entries differ in their marks.
func (im *importer) unknown(group []imported) ([]imported, error) {
	known, errs := make([]bool, len(group)), make([]error, len(group))
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(importAsks, len(group)) {
		wait.Go(func() {
			for i := range next {
				known[i], errs[i] = im.known(group[i].of)
			}
		})
	}
	for i := range group {
		next <- i
	}
	close(next)
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		if !im.dry {
			return nil, firstOf(errs)
		}
		im.ask = false // a file can be checked without a server, too
		im.note(0, "the log was not asked what it has: "+firstOf(errs).Error())
		return group, nil
	}
	var left []imported
	for i, x := range group {
		if known[i] {
			im.report.Repeated++
		} else {
			left = append(left, x)
		}
	}
	return left, nil
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// known says whether the log has an event. Another one with its id is no answer: the log must be told, and marks it.
func (im *importer) known(e entry.Event) (bool, error) {
	var raw json.RawMessage
	err := im.get("/v1/entries/id/"+url.PathEscape(e.ID), url.Values{"agent": {e.Source}, "raw": {"1"}}, &raw)
	if errors.Is(err, errRefused) {
		return false, nil // there is none, or several, of which the log can tell better
	} else if err != nil {
		return false, err
	}
	has, err := parseReplayed(raw)
	if err != nil {
		return false, err
	}
	return saysTheSame(has, e), nil
}

// saysTheSame compares what an event says with what the log has of it; not what its marks say, nor how it came.
func saysTheSame(has *replayed, e entry.Event) bool {
	h := has.entry
	for _, f := range [][2]string{{h.EntryID, e.ID}, {h.AgentDID, e.Source}, {h.EventType, e.EventType}, {h.Action, e.Action}, {h.Outcome, e.Outcome},
		{h.Resource, e.Subject}, {h.PolicyDecision, e.PolicyDecision}, {h.MatchedRule, e.MatchedRule}, {h.TraceID, e.TraceID}, {h.SessionID, e.SessionID}} {
		if f[0] != f[1] {
			return false
		}
	}
	if e.Time != "" && h.Timestamp != e.Time {
		return false
	}
	if h.TargetDID != "" && e.TargetDID != "" && h.TargetDID != e.TargetDID { // an export does not tell it
		return false
	}
	if has.payload == nil { // none, or erased
		return e.HasData == (h.DataHash != "")
	}
	return e.HasData && bytes.Equal(has.payload.Data, e.Data)
}
