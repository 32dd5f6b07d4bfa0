package alert

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// Filter picks alerts. Lists are alternatives, and empty ones take everything.
type Filter struct {
	Types  []string // event types, or alert types
	Rules  []string
	Agents []string // DIDs
}

func (f Filter) takes(a *Alert) bool {
	is := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return a.isOf(f.Types) && is(f.Rules, a.Rule) && is(f.Agents, a.Agent)
}

// isOf says whether the alert is of one of some types, each an event type as it is or as it stands in subjects; none: it is.
func (a *Alert) isOf(types []string) bool {
	return len(types) == 0 || slices.ContainsFunc(types, func(t string) bool { return t == a.Type || TypeToken(t) == a.Type })
}

// Page is a part of ALERTS.
type Page struct {
	Alerts []Alert // in the order of the stream
	Last   uint64  // sequence up to which nothing that passes the filter is left out, but what a limit cut off before the first
}

// readChunk is how many messages List reads at a time when it goes back.
const readChunk = 1000

// List reads alerts: with after, the first ones behind that sequence, else the newest; at most limit of them.
func (a *Alerter) List(ctx context.Context, f Filter, after *uint64, limit int) (Page, error) {
	end, gone, err := store.End(ctx, a.cfg.Log.Alerts)
	if err != nil {
		return Page{}, fmt.Errorf("alerts stream: %w", err)
	}
	p := Page{Last: end + gone}
	if after != nil {
		p.Alerts, err = a.between(ctx, f, *after+1, end, limit)
		if err == nil && len(p.Alerts) == limit {
			p.Last = p.Alerts[limit-1].Seq
		}
		return p, err
	}
	for hi := end; hi > 0 && len(p.Alerts) < limit; {
		lo := hi - min(hi, readChunk) + 1
		part, err := a.between(ctx, f, lo, hi, 0)
		if err != nil {
			return p, err
		}
		p.Alerts = append(part, p.Alerts...)
		hi = lo - 1
	}
	p.Alerts = p.Alerts[max(0, len(p.Alerts)-limit):]
	return p, nil
}

// between reads from one sequence to another, both included; limit 0: all.
func (a *Alerter) between(ctx context.Context, f Filter, from, to uint64, limit int) ([]Alert, error) {
	var list []Alert
	if to == 0 {
		return nil, nil
	}
	parse := func(m entry.Message) *Alert {
		if x, err := Parse(m); err == nil && f.takes(&x) {
			return &x
		}
		return nil
	}
	for x, err := range store.Ahead(ctx, a.cfg.Log.Alerts, from, to, parse) {
		if err != nil {
			return nil, fmt.Errorf("alerts stream: %w", err)
		}
		if x == nil {
			continue
		}
		if list = append(list, *x); len(list) == limit {
			break
		}
	}
	return list, nil
}
