package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/entry"
)

// engine turns entries into alerts. It does no I/O and reads no clock: the same entries and rules
// give the same alerts.
type engine struct {
	origin string
	clock  int64 // the latest received_at so far, in nanoseconds
	rules  []*ruleState
}

// ruleState is a rule and its memory.
type ruleState struct {
	Rule
	digest   string // digest of the whole rule: memory saved under another digest is useless
	match    []matcher
	rates    *ages[*window] // by agent or resource; nil if the rule has no rate
	times    int            // number of times in all windows
	silences *ages[lastWord]
}

// window holds the newest times of an agent or resource, at most as many as the rule counts.
type window struct {
	times []int64
	fired int64 // when it was last published; 0 if never
}

// lastWord is the newest entry of an agent that a silence rule watches.
type lastWord struct {
	Index, Size uint64
	Hash        string
}

func newEngine(origin string, rules []Rule) *engine {
	g := &engine{origin: origin}
	for _, r := range rules {
		s := &ruleState{Rule: r, digest: r.digest(), match: compile(r.Match)}
		switch {
		case r.Rate != nil:
			s.rates = newAges[*window]()
		case r.Silence > 0:
			s.silences = newAges[lastWord]()
		}
		g.rules = append(g.rules, s)
	}
	return g
}

func (r Rule) digest() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // always encodes: strings and numbers
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// take processes the next entry, which a checkpoint of that size covers. It returns the alerts for
// agents that fell silent before it, then its own.
func (g *engine) take(e *entry.Entry, size uint64) ([]Alert, error) {
	t, err := canonical.ParseTime(e.ReceivedAt)
	if err != nil {
		return nil, fmt.Errorf("index %d: received_at: %w", e.Index, err)
	}
	g.clock = max(g.clock, t.UnixNano())
	list := g.silent(g.clock, e.Index)
	if slices.Contains(AlertTypes, eventType(e)) {
		a, err := newEntryAlert(g.origin, KindEntry, eventType(e), e, size)
		if err != nil {
			return nil, err
		}
		a.Text = describe(e)
		list = append(list, a)
	}
	for _, r := range g.rules {
		if !matches(r.match, e) {
			continue
		}
		a, err := r.take(g, e, size)
		if err != nil {
			return nil, err
		}
		list = append(list, a...)
	}
	return list, nil
}

// take processes an entry that the rule matches.
func (r *ruleState) take(g *engine, e *entry.Entry, size uint64) ([]Alert, error) {
	switch {
	case r.Rate != nil:
		key := e.AgentDID
		if r.Rate.Per == "resource" {
			key = e.Resource
		}
		if key == "" || !r.count(key, g.clock) {
			return nil, nil
		}
		a, err := newEntryAlert(g.origin, KindRate, r.Name, e, size)
		a.Count, a.Window, a.Key = r.Rate.Count, r.Rate.Window.String(), key
		a.Text = rateText(&a, r.Rate.Per) + describe(e)
		return []Alert{a}, err
	case r.Silence > 0:
		if !e.IsEvent() { // the log's own entries are no reports
			return nil, nil
		}
		r.silences.touch(e.AgentDID, g.clock).value = lastWord{e.Index, size, e.EntryHash.String()}
		if len(r.silences.byKey) > maxRemembered {
			r.silences.remove(r.silences.first)
		}
		return nil, nil
	}
	a, err := newEntryAlert(g.origin, KindMatch, r.Name, e, size)
	a.Text = describe(e)
	return []Alert{a}, err
}

// rateText returns the text before the entry in the alert of a rate.
func rateText(a *Alert, per string) string {
	return fmt.Sprintf("%d or more within %s for %s %s: ", a.Count, a.Window, per, a.Key)
}

// count counts an entry and reports whether the rate is reached and must be published now.
func (r *ruleState) count(key string, now int64) bool {
	horizon := now - int64(r.Rate.Window)
	for x := r.rates.first; x != nil && (x.at <= horizon || r.times >= maxRemembered); x = r.rates.first {
		r.times -= len(x.value.times)
		r.rates.remove(x)
	}
	x := r.rates.touch(key, now)
	if x.value == nil {
		x.value = new(window)
	}
	w := x.value
	before := len(w.times)
	w.times = append(w.times, now)
	drop := max(0, len(w.times)-r.Rate.Count)
	for drop < len(w.times) && w.times[drop] <= horizon {
		drop++
	}
	w.times = slices.Delete(w.times, 0, drop)
	r.times += len(w.times) - before
	if len(w.times) < r.Rate.Count || w.fired != 0 && w.fired > horizon {
		return false
	}
	w.fired = now
	return true
}

// silent returns alerts for the agents whose last entry is older than their rule allows, and
// removes them from the watch until they report again. cursor is the follower's index. The time of
// such an alert is when the silence was complete, which follows from the log alone.
func (g *engine) silent(now int64, cursor uint64) []Alert {
	var list []Alert
	for _, r := range g.rules {
		if r.silences == nil {
			continue
		}
		for x := r.silences.first; x != nil && x.at+int64(r.Silence) < now; x = r.silences.first {
			list = append(list, Alert{
				ID:     alertID(g.origin, x.value.Index, KindSilence, r.Name, ""),
				Source: g.origin, Type: TypeSilence, Kind: KindSilence, Rule: r.Name, Agent: x.key,
				Time:  formatNanos(x.at + int64(r.Silence)),
				Index: x.value.Index, Hash: x.value.Hash, Size: x.value.Size, Window: r.Silence.String(),
				Text: fmt.Sprintf("%s has not reported for %s, since index %d", x.key, r.Silence, x.value.Index), Cursor: cursor,
			})
			r.silences.remove(x)
		}
	}
	return list
}

// dropSilence removes a silence that another follower has published.
func (g *engine) dropSilence(rule, agent string, index uint64) {
	for _, r := range g.rules {
		if r.silences == nil || r.Name != rule {
			continue
		}
		if x := r.silences.byKey[agent]; x != nil && x.value.Index == index {
			r.silences.remove(x)
		}
	}
}
