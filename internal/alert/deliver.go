package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// dispatcher delivers alerts from ALERTS to one webhook, with a cursor of its own. Nothing waits
// for it.
type dispatcher struct {
	a    *Alerter
	send *sender
	dead *deadLetters

	mu     sync.Mutex
	status WebhookStatus
	saved  hookState // cursor last written
	saveAt time.Time // no write before this time
	state  hookState
}

// hookState is the cursor of a webhook in CURSORS.
type hookState struct {
	Seq     uint64    `json:"seq"`     // newest ALERTS sequence that is delivered or dead
	Created time.Time `json:"created"` // creation time of ALERTS
	Since   time.Time `json:"since"`   // when the webhook was first seen here
}

// WebhookStatus describes a webhook.
type WebhookStatus struct {
	Name      string `json:"name"`
	URL       string `json:"url"`
	Seq       uint64 `json:"seq"`               // newest ALERTS sequence that is delivered or dead
	Delivered uint64 `json:"delivered"`         // alerts delivered by this process
	GivenUp   uint64 `json:"given_up"`          // alerts given up by this process
	Dead      int    `json:"dead"`              // dead letters
	Failing   string `json:"failing,omitempty"` // error of the newest attempt, if it failed
	Failures  int    `json:"failures"`          // failures in a row
}

func newDispatcher(a *Alerter, w Webhook) (*dispatcher, error) {
	s, err := newSender(w)
	if err != nil {
		return nil, err
	}
	return &dispatcher{
		a: a, send: s, dead: &deadLetters{
			kv: a.cfg.Log.Cursors, prefix: subject.WebhookCursor(a.cfg.Log.Name, w.Name) + "/dead/",
		},
		status: WebhookStatus{Name: w.Name, URL: w.place()},
	}, nil
}

// Status returns the current status.
func (d *dispatcher) Status() WebhookStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status
	s.Seq, s.Dead = d.state.Seq, d.dead.count()
	return s
}

func (d *dispatcher) set(change func(*WebhookStatus)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.status)
}

// run delivers until ctx is done. It calls ready once the cursor is known.
func (d *dispatcher) run(ctx context.Context, ready func()) {
	for pauses := retry.New(10*time.Millisecond, 5*time.Second); ; {
		err := d.open(ctx)
		if ready != nil && (err == nil || ctx.Err() != nil) {
			ready()
			ready = nil
		}
		if err == nil {
			pauses.Reset()
			err = d.serve(ctx)
		}
		if ctx.Err() != nil {
			break
		}
		d.a.logger.WarnContext(ctx, "alerts: a webhook waits for the store", "log", d.a.cfg.Log.Name, "webhook", d.send.Name,
			"cause", err)
		if pauses.Wait(ctx, 0) != nil {
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	d.saveAt = time.Time{}
	d.save(ctx)
}

// open reads the cursor and the dead letters. A new webhook starts at the end of ALERTS.
func (d *dispatcher) open(ctx context.Context) error {
	info, err := d.a.cfg.Log.Alerts.Info(ctx)
	if err != nil {
		return fmt.Errorf("alerts stream: %w", err)
	}
	if err := d.dead.open(ctx); err != nil {
		return err
	}
	b, _, err := d.a.cfg.Log.Cursors.Get(ctx, subject.WebhookCursor(d.a.cfg.Log.Name, d.send.Name))
	state := hookState{Created: info.Created, Since: time.Now().UTC()}
	switch {
	case errors.Is(err, store.ErrNotFound):
		state.Seq = info.Last
	case err != nil:
		return fmt.Errorf("cursor: %w", err)
	default:
		var old hookState
		if err := json.Unmarshal(b, &old); err != nil {
			return fmt.Errorf("cursor: %w", err)
		}
		if state.Since = old.Since; old.Created.Equal(info.Created) && old.Seq <= info.Last {
			state = old
		} // otherwise ALERTS was recreated, and is delivered again under the same ids
	}
	d.mu.Lock()
	d.state, d.saved = state, hookState{}
	d.mu.Unlock()
	d.saveAt = time.Time{}
	return d.save(ctx)
}

// save writes the cursor if it has moved and saveInterval is over. A crash before that repeats
// deliveries.
func (d *dispatcher) save(ctx context.Context) error {
	if d.state == d.saved || time.Now().Before(d.saveAt) {
		return nil
	}
	b, err := json.Marshal(d.state)
	if err == nil {
		err = d.a.cfg.Log.Cursors.Put(ctx, subject.WebhookCursor(d.a.cfg.Log.Name, d.send.Name), b)
	}
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	d.saved, d.saveAt = d.state, time.Now().Add(saveInterval)
	return nil
}

// serve reads ALERTS and delivers one alert after the other.
func (d *dispatcher) serve(ctx context.Context) error {
	r, err := d.a.cfg.Log.Alerts.Read(ctx, d.state.Seq+1)
	if err != nil {
		return fmt.Errorf("alerts stream: %w", err)
	}
	defer r.Close()
	for {
		if err := d.save(ctx); err != nil {
			return err
		}
		// so that the cursor is saved, if it has moved
		wait, cancel := context.WithTimeout(ctx, saveInterval)
		messages, err := r.Next(wait, 16)
		cancel()
		if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			continue
		} else if err != nil {
			return fmt.Errorf("alerts stream: %w", err)
		}
		for _, m := range messages {
			if err := d.deliver(ctx, m); err != nil {
				return err
			}
			d.mu.Lock()
			d.state.Seq = m.Seq
			d.mu.Unlock()
			if err := d.save(ctx); err != nil {
				return err
			}
		}
	}
}

// deliver returns nil when the alert is delivered, is a dead letter, or is not for this webhook.
func (d *dispatcher) deliver(ctx context.Context, m entry.Message) error {
	a, err := Parse(m)
	if err != nil || !d.send.wants(&a) || d.predates(&a) {
		return nil
	}
	rejections := 0
	pauses := retry.New(d.send.BackOff, d.send.MaxBackOff)
	for failures := 1; ; failures++ {
		err := d.send.attempt(ctx, a.ID, m.Data)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			d.set(func(s *WebhookStatus) { s.Delivered, s.Failing, s.Failures = s.Delivered+1, "", 0 })
			return nil
		}
		d.set(func(s *WebhookStatus) { s.Failing, s.Failures = err.Error(), s.Failures+1 })
		d.a.logger.WarnContext(ctx, "alerts: delivery to a webhook failed", "log", d.a.cfg.Log.Name, "webhook", d.send.Name,
			"alert", a.ID, "attempt", failures, "cause", err)
		if r, ok := errors.AsType[*refusal](err); ok && r.final() {
			rejections++
		}
		if rejections >= maxRejections || time.Since(m.Time) > d.send.GiveUp {
			// Written before the cursor moves: a crash in between delivers the alert once more, and
			// then writes the same letter again.
			d.set(func(s *WebhookStatus) { s.GivenUp++ })
			return d.dead.add(ctx, DeadLetter{
				Webhook: d.send.Name, Seq: m.Seq, ID: a.ID, Type: a.Type,
				At: time.Now().UTC(), Attempts: failures, Why: clip(err.Error()),
			})
		}
		if err := d.save(ctx); err != nil {
			d.a.logger.WarnContext(ctx, "alerts: cannot save the cursor of a webhook", "webhook", d.send.Name, "cause", err)
		}
		if err := pauses.Wait(ctx, askedFor(err)); err != nil {
			return err
		}
	}
}

// newWebhookHistory is how far before its first configuration a webhook still gets alerts. It
// covers alerts that were on their way, and clocks that differ.
const newWebhookHistory = time.Hour

// predates reports whether an alert is from before the webhook. A log that gets its first alerts
// now has years of them.
func (d *dispatcher) predates(a *Alert) bool {
	t, err := time.Parse(time.RFC3339Nano, a.Time)
	return err == nil && t.Before(d.state.Since.Add(-newWebhookHistory))
}

func clip(s string) string { return s[:min(len(s), 300)] }
