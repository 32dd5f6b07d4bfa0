package alert

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Filter selects alerts. The values of a list are alternatives, and an empty list matches
// everything.
type Filter struct {
	Types  []string // event types, or alert types
	Rules  []string
	Agents []string // DIDs
	From   string   // earliest Time, canonical; "" is open
	To     string   // latest Time, in the same form

	who *sight // what the caller sees
}

func (f Filter) matches(a *Alert) bool {
	is := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return f.who.sees(a) && a.isOf(f.Types) && is(f.Rules, a.Rule) && is(f.Agents, a.Agent) &&
		(f.From == "" || api.CompareTimes(a.Time, f.From) >= 0) && (f.To == "" || api.CompareTimes(a.Time, f.To) <= 0)
}

// isOf reports whether the alert has one of some types. Each may be an event type or its subject
// token. No types match every alert.
func (a *Alert) isOf(types []string) bool {
	return len(types) == 0 ||
		slices.ContainsFunc(types, func(t string) bool { return t == a.Type || TypeToken(t) == a.Type })
}

// Page is a part of ALERTS.
type Page struct {
	Alerts []Alert // in the order of the stream
	// Last is the sequence up to which the page is complete, except for older alerts that a limit
	// cut off.
	Last uint64
}

// readChunk is how many messages List reads at a time when it searches backwards.
const readChunk = 1000

// List returns at most limit alerts: with after, the first ones after that sequence, otherwise the
// newest.
func (a *Alerter) List(ctx context.Context, f Filter, after *uint64, limit int) (Page, error) {
	end, gone, err := store.End(ctx, a.cfg.Log.Alerts)
	if err != nil {
		return Page{}, fmt.Errorf("alerts stream: %w", err)
	}
	p := Page{Last: end + gone}
	if after != nil {
		if err := checkPosition("after", *after, p.Last); err != nil {
			return Page{}, err
		}
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

// between reads from one sequence to another, both included. Limit 0 means all.
func (a *Alerter) between(ctx context.Context, f Filter, from, to uint64, limit int) ([]Alert, error) {
	var list []Alert
	if to == 0 {
		return nil, nil
	}
	parse := func(m entry.Message) *Alert {
		if x, err := Parse(m); err == nil && f.matches(&x) {
			f.who.show(&x)
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
