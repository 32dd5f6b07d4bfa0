package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// importAsks is how many questions are under way at a time.
const importAsks = 8

// unknown leaves out the events of a group that the log has already, and counts them. The log's own window of repeats would not do: an import may
// be done again after a million other entries, and a trail and an export of the same entries differ in their marks.
func (im *importer) unknown(group []imported) ([]imported, error) {
	known, errs := make([]bool, len(group)), make([]error, len(group))
	if list, whole, err := im.inTheirTime(group); err != nil {
		errs = []error{err}
	} else if whole {
		for i, x := range group {
			known[i] = slices.ContainsFunc(list[x.of.ID], func(has *replayed) bool { return im.same(has, x.of) })
		}
	} else {
		im.askEach(group, known, errs)
	}
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

// inTheirTime reads, by their ids, all that the log has of the group's agents in the group's time: one question where a question each would be a few hundred.
// An entry of another time says something else. whole is false if there is too much of it, or an event has no time.
func (im *importer) inTheirTime(group []imported) (list map[string][]*replayed, whole bool, err error) {
	if len(group) == 0 {
		return nil, true, nil
	}
	var from, to time.Time
	q := url.Values{"raw": {"1"}, "limit": {"1000"}, "order": {"asc"}}
	for i, x := range group {
		t, err := entry.ParseTime(x.of.Time)
		if err != nil {
			return nil, false, nil
		}
		if i == 0 || t.Before(from) {
			from = t
			q.Set("from", x.of.Time)
		}
		if i == 0 || t.After(to) {
			to = t
			q.Set("to", x.of.Time)
		}
		if !slices.Contains(q["agent"], x.of.Source) {
			q.Add("agent", x.of.Source)
		}
	}
	if len(strings.Join(q["agent"], "")) > 16<<10 { // a request's header has its limits
		return nil, false, nil
	}
	var p page
	if err := im.get("/v1/entries", q, &p); err != nil || p.NextCursor != nil {
		return nil, false, err
	}
	list = make(map[string][]*replayed, len(p.Entries))
	for _, raw := range p.Entries {
		has, err := parseReplayed(raw)
		if err != nil {
			return nil, false, err
		}
		list[has.entry.EntryID] = append(list[has.entry.EntryID], has)
	}
	return list, true, nil
}

// askEach asks for each event by its id.
func (im *importer) askEach(group []imported, known []bool, errs []error) {
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
	return im.same(has, e), nil
}

// same compares an event with what the log has, which may have been redacted when it came.
func (im *importer) same(has *replayed, e entry.Event) bool {
	if saysTheSame(has, e) {
		return true
	}
	im.learn.Do(im.learnRules)
	if im.rules == nil {
		return false
	}
	e.Extensions = maps.Clone(e.Extensions)
	return e.Redact(im.rules, nil) == nil && saysTheSame(has, e)
}

// learnRules asks for the rules by which the log redacts now. Where they cannot be known, or this release does not have them, the log is told the event again,
// and recognises it as long as it is in its window.
func (im *importer) learnRules() {
	var p page
	if err := im.get("/v1/entries", url.Values{"type": {entry.TypeConfig}, "order": {"desc"}, "limit": {"1"}, "raw": {"1"}}, &p); err != nil || len(p.Entries) == 0 {
		return
	}
	has, err := parseReplayed(p.Entries[0])
	if err != nil {
		return
	}
	if c, ok := has.entry.Detail.(*entry.Config); ok && c.Redaction != nil {
		if set, err := redact.Compile(c.Redaction); err == nil {
			im.rules = set
		}
	}
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
