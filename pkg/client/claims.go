package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"strconv"

	"github.com/sealstream/sealstream/internal/sse"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// ErrCounts reports that Counts of a server are not those of its log.
var ErrCounts = errors.New("the counts are not those of the log")

// ClaimedCounts says how many of the first TreeSize entries match a filter. It is what the server
// says. Verify can count again, but does not check Top.
type ClaimedCounts struct {
	api.Counts
	filter api.Filter
	least  uint64 // size of the log that was seen before the question
}

// Counts asks how many entries match a filter, and counts their types, actions, outcomes and
// agents. The answer has no proof: it is what the server says. It must cover at least as many
// entries as the client has seen.
func (c *Client) Counts(ctx context.Context, f api.Filter) (ClaimedCounts, error) {
	f, err := f.Normal()
	if err != nil {
		return ClaimedCounts{}, fmt.Errorf("read counts: %w", err)
	}
	claimed := ClaimedCounts{filter: f, least: max(1, c.head.size())}
	err = c.head.retryBehind(ctx, func() error {
		raw, err := c.api.persist(ctx, c.server(), "/v1/counts", f.Values())
		if err != nil {
			return err
		}
		claimed.Counts = api.Counts{}
		if err := json.Unmarshal(raw, &claimed.Counts); err != nil {
			return err
		}
		return claimed.enough()
	})
	if err != nil {
		return ClaimedCounts{}, fmt.Errorf("read counts: %w", err)
	}
	return claimed, nil
}

// enough reports counts of fewer entries than the log must have had.
func (c *ClaimedCounts) enough() error {
	if least := max(1, c.least); c.TreeSize < least {
		return fmt.Errorf("%w: the counts are of %d entries, of at least %d", errBehind, c.TreeSize, least)
	}
	return nil
}

// recount counts entries as they come, for comparison with a claim.
type recount struct {
	claim  *ClaimedCounts
	have   api.Counts
	agents map[string]bool
}

func newRecount(claim *ClaimedCounts) *recount {
	return &recount{claim: claim, agents: map[string]bool{}, have: api.Counts{
		Types: map[string]uint64{}, Actions: map[string]uint64{}, Outcomes: map[string]uint64{},
	}}
}

func newRecounts(claims []ClaimedCounts) []*recount {
	counts := make([]*recount, len(claims))
	for i := range claims {
		counts[i] = newRecount(&claims[i])
	}
	return counts
}

func (r *recount) add(e *entry.Entry) {
	if e.Index >= r.claim.TreeSize || !r.claim.filter.Matches(e) {
		return
	}
	h := &r.have
	at := e.Index
	if h.Last = &at; h.First == nil {
		h.First = &at
	}
	h.Matches++
	r.agents[e.AgentDID] = true
	for value, counts := range map[string]map[string]uint64{
		e.EventType: h.Types, e.Action: h.Actions, e.Outcome: h.Outcomes,
	} {
		if value != "" {
			counts[value]++
		}
	}
}

// check compares the claim with what was counted up to a size.
func (r *recount) check(size uint64) error {
	have, claim := &r.have, &r.claim.Counts
	if err := r.claim.enough(); err != nil {
		return fmt.Errorf("%w: %w", ErrCounts, err)
	}
	switch {
	case claim.TreeSize > size:
		return fmt.Errorf("%w: they are of %d entries, the log has %d", ErrCounts, claim.TreeSize, size)
	case claim.Matches != have.Matches:
		return fmt.Errorf("%w: it says that %d match, %d do", ErrCounts, claim.Matches, have.Matches)
	case !maps.Equal(claim.Types, have.Types), !maps.Equal(claim.Actions, have.Actions),
		!maps.Equal(claim.Outcomes, have.Outcomes), claim.Agents != uint64(len(r.agents)),
		!same(claim.First, have.First), !same(claim.Last, have.Last):
		return fmt.Errorf("%w: the %d that match are others than it says", ErrCounts, have.Matches)
	}
	return nil
}

func same(a, b *uint64) bool { return a == b || a != nil && b != nil && *a == *b }

// AlertFilter selects alerts. The zero AlertFilter selects all.
type AlertFilter struct {
	Type, Rule, Agent []string // any of these values; empty means any value

	// From and To are the earliest and the latest time of the alerts, both included, in RFC 3339. ""
	// sets no bound. FollowAlerts ignores them.
	From, To string

	// Limit is the largest number of alerts that Alerts returns, up to 1,000. 0 means 100.
	// FollowAlerts ignores it.
	Limit int
}

func (f AlertFilter) values() url.Values {
	q := url.Values{}
	add := func(name string, values []string) {
		if len(values) > 0 {
			q[name] = values
		}
	}
	add("type", f.Type)
	add("rule", f.Rule)
	add("agent", f.Agent)
	return q
}

// ClaimedAlert is an alert, as the server says. To verify the entry that it names, call Entry.
type ClaimedAlert struct{ api.Alert }

// Alerts returns the newest alerts, the oldest of them first, and the number after which
// FollowAlerts continues. Alerts are not in the log, so nothing proves them.
func (c *Client) Alerts(ctx context.Context, f AlertFilter) (list []ClaimedAlert, last uint64, err error) {
	q := f.values()
	for name, value := range map[string]string{"from": f.From, "to": f.To} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	raw, err := c.api.persist(ctx, c.server(), "/v1/alerts", q)
	var page api.Alerts
	if err == nil {
		err = json.Unmarshal(raw, &page)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read alerts: %w", err)
	}
	for _, a := range page.Alerts {
		list = append(list, ClaimedAlert{a})
	}
	return list, page.Last, nil
}

// FollowAlerts yields the alerts after a number, and then new ones. It reconnects whenever the
// stream breaks, and ends when ctx is done.
func (c *Client) FollowAlerts(ctx context.Context, f AlertFilter, after uint64) iter.Seq2[ClaimedAlert, error] {
	return func(yield func(ClaimedAlert, error) bool) {
		ctx, cancel := c.bound(ctx)
		defer cancel()
		err := c.keepOn(ctx, "/v1/alerts/stream", func() (bool, error) {
			before, q := after, f.values()
			q.Set("after", strconv.FormatUint(after, 10))
			err := c.api.stream(ctx, c.server(), "/v1/alerts/stream", q, func(e sse.Event) error {
				seq, err := strconv.ParseUint(e.ID, 10, 63)
				if err != nil || seq <= after {
					return fmt.Errorf("%w: an alert with id %.40q after %d", ErrRefused, e.ID, after)
				}
				if !yield(ClaimedAlert{api.Alert{Seq: seq, Event: append(json.RawMessage(nil), e.Data...)}}, nil) {
					return errStop
				}
				after = seq
				return nil
			})
			return after > before, err
		})
		if err != nil {
			yield(ClaimedAlert{}, fmt.Errorf("follow alerts: %w", err))
		}
	}
}
