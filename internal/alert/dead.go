package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/store"
)

// DeadLetter is an alert that could not be delivered to a webhook. The alert itself stays on
// ALERTS.
type DeadLetter struct {
	Webhook  string    `json:"webhook"`
	Seq      uint64    `json:"seq"` // ALERTS sequence
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	At       time.Time `json:"at"` // when delivery was given up
	Attempts int       `json:"attempts"`
	Why      string    `json:"why"` // the last failure
}

const (
	deadPage = 500    // letters in one value of the bucket
	maxDead  = 100000 // letters of one webhook, which then waits until some are delivered
)

var errDeadFull = errors.New("too many dead letters; nothing more is given up before some are delivered")

// deadLetters holds the dead letters of one webhook, in pages in CURSORS.
type deadLetters struct {
	kv     store.KV
	prefix string
	n      atomic.Int64 // letters

	mu    sync.Mutex // guards the fields below; held while pages are written
	read  bool
	pages [][]DeadLetter
}

// count never waits for the bucket, since health pages call it.
func (d *deadLetters) count() int { return int(d.n.Load()) }

// open reads all pages. Pages may become empty, but are never deleted.
func (d *deadLetters) open(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.read {
		return nil
	}
	d.pages = nil
	d.n.Store(0)
	for {
		b, _, err := d.kv.Get(ctx, d.prefix+strconv.Itoa(len(d.pages)))
		if errors.Is(err, store.ErrNotFound) {
			d.read = true
			return nil
		} else if err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		var page []DeadLetter
		if err := json.Unmarshal(b, &page); err != nil {
			return fmt.Errorf("dead letters: page %d: %w", len(d.pages), err)
		}
		d.pages = append(d.pages, page)
		d.n.Add(int64(len(page)))
	}
}

// write replaces a page, in the bucket first.
func (d *deadLetters) write(ctx context.Context, n int, page []DeadLetter) error {
	if page == nil {
		page = []DeadLetter{}
	}
	b, err := json.Marshal(page)
	if err == nil {
		err = d.kv.Put(ctx, d.prefix+strconv.Itoa(n), b)
	}
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	if n == len(d.pages) {
		d.pages = append(d.pages, nil)
	}
	d.n.Add(int64(len(page) - len(d.pages[n])))
	d.pages[n] = page
	return nil
}

// add adds a letter, unless the alert has one.
func (d *deadLetters) add(ctx context.Context, l DeadLetter) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	to, n := len(d.pages), 0
	for i, p := range d.pages {
		if slices.ContainsFunc(p, func(x DeadLetter) bool { return x.Seq == l.Seq }) {
			return nil
		}
		if n += len(p); len(p) < deadPage {
			to = min(to, i)
		}
	}
	if n >= maxDead {
		return errDeadFull
	}
	var page []DeadLetter
	if to < len(d.pages) {
		page = d.pages[to]
	}
	return d.write(ctx, to, append(slices.Clone(page), l))
}

// remove removes a letter that was delivered.
func (d *deadLetters) remove(ctx context.Context, seq uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, p := range d.pages {
		if at := slices.IndexFunc(p, func(x DeadLetter) bool { return x.Seq == seq }); at >= 0 {
			return d.write(ctx, i, slices.Delete(slices.Clone(p), at, at+1))
		}
	}
	return nil
}

func (d *deadLetters) list() []DeadLetter {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := slices.Concat(d.pages...)
	slices.SortFunc(list, func(a, b DeadLetter) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return list
}

// Dead returns the dead letters of all webhooks, in the order of ALERTS for each.
func (a *Alerter) Dead() []DeadLetter {
	list := []DeadLetter{}
	for _, d := range a.hooks {
		list = append(list, d.dead.list()...)
	}
	return list
}

// Redelivered is the result of a redelivery.
type Redelivered struct {
	Delivered int    `json:"delivered"`
	Failed    int    `json:"failed"`
	Left      int    `json:"left"`          // letters that failed or were not tried
	Why       string `json:"why,omitempty"` // the last failure
}

// redeliverTimeout limits one redelivery, since the client waits for the answer.
var redeliverTimeout = 20 * time.Second

// maxRedeliverFailures is how many failures in a row end a redelivery.
const maxRedeliverFailures = 3

// Redeliver sends dead letters again, one attempt each, and removes those that are delivered. An
// empty webhook means all webhooks, seq 0 all letters. It stops after redeliverTimeout; the
// remaining letters stay. The error wraps store.ErrNotFound if there is no such webhook or letter.
func (a *Alerter) Redeliver(ctx context.Context, webhook string, seq uint64) (Redelivered, error) {
	var r Redelivered
	known := webhook == ""
	tries, cancel := context.WithTimeout(ctx, redeliverTimeout)
	defer cancel()
	for _, d := range a.hooks {
		if webhook != "" && d.send.Name != webhook {
			continue
		}
		known = true
		if err := d.redeliver(ctx, tries, seq, &r); err != nil {
			return r, err
		}
	}
	if !known {
		return r, fmt.Errorf("webhook %.80q: %w", webhook, store.ErrNotFound)
	}
	if seq != 0 && r.Delivered+r.Left == 0 {
		return r, fmt.Errorf("dead letter %d: %w", seq, store.ErrNotFound)
	}
	return r, nil
}

// redeliver delivers with the context tries, which ends before ctx.
func (d *dispatcher) redeliver(ctx, tries context.Context, seq uint64, r *Redelivered) error {
	failures := 0
	for _, l := range d.dead.list() {
		if seq != 0 && l.Seq != seq {
			continue
		}
		if failures >= maxRedeliverFailures || tries.Err() != nil {
			r.Left++
			r.Why = cmp.Or(r.Why, "there was no time for all of them")
			continue
		}
		m, err := d.a.cfg.Log.Alerts.Get(ctx, l.Seq)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("ALERTS sequence %d: %w", l.Seq, err)
		}
		if x, parse := Parse(m); err != nil || parse != nil || x.ID != l.ID {
			// ALERTS was recreated; this must not hold up other letters
			r.Failed, r.Left, r.Why = r.Failed+1, r.Left+1, fmt.Sprintf("ALERTS sequence %d is not that alert any more", l.Seq)
			continue
		}
		if err := d.send.attempt(tries, l.ID, m.Data); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			failures++
			r.Failed, r.Left, r.Why = r.Failed+1, r.Left+1, clip(err.Error())
			continue
		}
		failures = 0
		r.Delivered++
		// the letter will be sent again under the same id
		if err := d.dead.remove(ctx, l.Seq); err != nil {
			return err
		}
	}
	return nil
}
