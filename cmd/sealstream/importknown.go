package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// importRequests is the number of concurrent requests.
const importRequests = 8

// unknown returns the events of a group that the log does not have yet, and counts the others as
// repeated. The sealer's own window of repeats is not enough: an import may be run again after a
// million other entries, and a trail and an export of the same entries differ in their marks.
func (im *importer) unknown(group []imported) ([]imported, error) {
	known, errs := make([]bool, len(group)), make([]error, len(group))
	if list, whole, err := im.sameSpan(group); err != nil {
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
		im.ask = false // --dry-run also works without a server
		im.note(0, "the file was not compared with the log: "+firstOf(errs).Error())
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

// sameSpan returns, by id, the log's entries of the group's agents between the group's first and
// last time. That is one request instead of a few hundred. An entry of another time is never the
// same as an event of the group. whole is false if there are too many entries, or if an event has
// no time.
func (im *importer) sameSpan(group []imported) (list map[string][]*replayed, whole bool, err error) {
	if len(group) == 0 {
		return nil, true, nil
	}
	var from, to time.Time
	q := url.Values{"raw": {"1"}, "limit": {"1000"}, "order": {"asc"}}
	for i, x := range group {
		t, err := canonical.ParseTime(x.of.Time)
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
	if len(strings.Join(q["agent"], "")) > 16<<10 { // servers limit the length of a request's header
		return nil, false, nil
	}
	var p api.Page
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

// askEach requests each event by its id.
func (im *importer) askEach(group []imported, known []bool, errs []error) {
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(importRequests, len(group)) {
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

// known reports whether the log has an event. If the log has another event with the same id, the
// answer is false: the event must be sent, so that the sealer marks it.
func (im *importer) known(e entry.Event) (bool, error) {
	if e.ID == "." || e.ID == ".." { // cannot be part of a path
		return false, nil
	}
	var raw json.RawMessage
	err := im.get("/v1/entries/id/"+client.PathSegment(e.ID), url.Values{"agent": {e.Source}, "raw": {"1"}}, &raw)
	if status := client.Problem(err).Status; status/100 == 4 && status != http.StatusRequestTimeout &&
		status != http.StatusTooManyRequests {
		return false, nil // there is none, or several, which the sealer compares
	} else if err != nil {
		return false, err
	}
	has, err := parseReplayed(raw)
	if err != nil {
		return false, err
	}
	return im.same(has, e), nil
}

// same reports whether an event is the same as an entry, which may have been redacted.
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

// learnRules loads the log's current rules of redaction. If it fails, or if this release does not
// know the rules, redacted events are sent again, and the sealer recognizes them in its window.
func (im *importer) learnRules() {
	var p api.Page
	q := url.Values{"type": {entry.TypeConfig}, "order": {"desc"}, "limit": {"1"}, "raw": {"1"}}
	if err := im.get("/v1/entries", q, &p); err != nil || len(p.Entries) == 0 {
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

// saysTheSame compares what the agent stated: the fields of an event and its data, without the
// marks of the import.
func saysTheSame(has *replayed, e entry.Event) bool {
	h := has.entry
	if h.EntryID != e.ID || h.AgentDID != e.Source || h.EventType != e.EventType ||
		h.Action != e.Action || h.Outcome != e.Outcome || h.Resource != e.Subject ||
		h.PolicyDecision != e.PolicyDecision || h.MatchedRule != e.MatchedRule ||
		h.TraceID != e.TraceID || h.SessionID != e.SessionID {
		return false
	}
	if e.Time != "" && h.Timestamp != e.Time {
		return false
	}
	if h.TargetDID != "" && e.TargetDID != "" && h.TargetDID != e.TargetDID { // an export leaves it out
		return false
	}
	if has.payload == nil { // there is no data, or it was erased
		return e.HasData == (h.DataHash != nil)
	}
	return e.HasData == has.payload.HasData() && bytes.Equal(has.payload.Data, e.Data)
}
