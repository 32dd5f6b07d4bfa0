package alert_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// receiver is a webhook's other end; answer, if there is one, answers in its place.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string // ids taken, in order
	tries  map[string]int
	bad    []string
	answer func(w http.ResponseWriter, r *http.Request, id string, try int) bool // true: done
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{tries: map[string]int{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	id := q.Header.Get("webhook-id")
	r.mu.Lock()
	r.tries[id]++
	try, answer := r.tries[id], r.answer
	var ce event.Event
	switch {
	case err != nil || ce.UnmarshalJSON(body) != nil || ce.Validate() != nil || ce.ID() != id:
		r.bad = append(r.bad, "body of "+id)
	case q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/cloudevents+json":
		r.bad = append(r.bad, "method or type of "+id)
	case !strings.HasPrefix(q.Header.Get("webhook-signature"), "v1,") || q.Header.Get("webhook-timestamp") == "":
		r.bad = append(r.bad, "signature of "+id)
	}
	r.mu.Unlock()
	if answer != nil && answer(w, q, id, try) {
		return
	}
	r.mu.Lock()
	r.got = append(r.got, id)
	r.mu.Unlock()
}

func (r *receiver) have() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func hook(name, url string) alert.Webhook {
	return alert.Webhook{
		Name: name, URL: url, Secrets: []string{alert.NewSecret()}, BackOff: time.Millisecond,
		MaxBackOff: 20 * time.Millisecond, Timeout: 5 * time.Second,
	}
}

func ids(list []alert.Alert) (ids []string) {
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	return ids
}

// TestReceiverDown: what is told while a receiver is away, and while the alerter itself is stopped,
// is delivered after, in order; a receiver beside it is served meanwhile.
func TestReceiverDown(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	down, up := newReceiver(t), newReceiver(t)
	away := true
	down.answer = func(w http.ResponseWriter, _ *http.Request, _ string, try int) bool {
		down.mu.Lock()
		defer down.mu.Unlock()
		if away && try%3 == 0 {
			panic(http.ErrAbortHandler) // the connection breaks
		} else if away {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return away
	}
	cfg := alert.Config{Lag: -1, Webhooks: []alert.Webhook{hook("down", down.URL), hook("up", up.URL)}}
	a := f.alerter(f.Store, cfg)
	stop := f.Run("alerter", a.Run)
	f.publish(90)
	f.Seal()
	f.Until("the receiver that is there", func() bool { return len(up.have()) == 30 })
	f.Until("some failures", func() bool { return a.Status().Webhooks[0].Failures > 5 })
	if st := a.Status(); len(down.have()) != 0 || st.Webhooks[0].Failing == "" || st.Webhooks[1].Failing != "" ||
		st.Published != 30 {
		t.Fatalf("%+v", st)
	}
	stop()
	f.publish(30)
	f.Seal()
	a = f.alerter(f.Store, cfg)
	f.Run("alerter again", a.Run)
	down.mu.Lock()
	away = false
	down.mu.Unlock()
	f.Until("all alerts", func() bool { return len(down.have()) >= 40 && len(up.have()) >= 40 })
	if want := ids(f.told()); len(want) != 40 || !slices.Equal(down.have(), want) || !slices.Equal(up.have(), want) {
		t.Fatalf("told %d, one has %d, the other %d, or in another order", len(want), len(down.have()), len(up.have()))
	}
	if len(down.bad)+len(up.bad) > 0 || len(a.Dead()) > 0 {
		t.Fatal(down.bad, up.bad, a.Dead())
	}
}

// TestSlowReceiver: one that never answers holds up neither another nor the follower.
func TestSlowReceiver(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	slow, fast := newReceiver(t), newReceiver(t)
	hang := make(chan struct{})
	slow.answer = func(_ http.ResponseWriter, r *http.Request, _ string, _ int) bool {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return true
	}
	a := f.alerter(f.Store, alert.Config{
		Lag: -1, Webhooks: []alert.Webhook{hook("slow", slow.URL), hook("fast", fast.URL)},
	})
	stop := f.Run("alerter", a.Run)
	f.publish(300)
	f.Seal()
	f.Until("the fast one", func() bool { return len(fast.have()) == 100 })
	stop() // and stopping does not wait for the slow one either
	close(hang)
}

// TestRefusals: no redirect is followed, an endless answer is not read to its end, what is refused
// for good becomes a dead letter that outlives a restart and can be sent again, and alerts behind
// it are delivered.
func TestRefusals(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	elsewhere, r := newReceiver(t), newReceiver(t)
	r.answer = func(w http.ResponseWriter, q *http.Request, id string, try int) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch n := len(r.tries); { // how many alerts it has seen so far
		case n == 2:
			w.WriteHeader(http.StatusBadRequest)
			for range 100 {
				fmt.Fprint(w, strings.Repeat("no ", 1000))
			}
			return true
		case n == 4:
			if try < 9 {
				http.Redirect(w, q, elsewhere.URL, http.StatusTemporaryRedirect)
			} else {
				w.WriteHeader(http.StatusUnprocessableEntity)
			}
			return true
		case n == 5 && try < 3:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	}
	cfg := alert.Config{Lag: -1, Webhooks: []alert.Webhook{hook("a", r.URL)}}
	a := f.alerter(f.Store, cfg)
	stop := f.Run("alerter", a.Run)
	f.publish(18)
	f.Seal()
	f.Until("the rest", func() bool { return len(r.have()) == 4 })
	want := ids(f.told())
	dead := a.Dead()
	if len(want) != 6 || len(dead) != 2 || dead[0].ID != want[1] || dead[1].ID != want[3] || dead[0].Seq != 2 ||
		dead[0].Attempts != 5 || !strings.Contains(dead[0].Why, "400 Bad Request") ||
		!strings.Contains(dead[1].Why, "422") || dead[1].Attempts != 13 || len(dead[0].Why) > 400 {
		t.Fatalf("%+v", dead)
	}
	if len(elsewhere.tries) > 0 {
		t.Fatal("a redirect was followed")
	}
	// else it goes out once more
	f.Until("the last answer is noted", func() bool { return a.Status().Webhooks[0].Seq == 6 })
	stop()

	a = f.alerter(f.Store, cfg)
	f.Run("alerter again", a.Run)
	f.Until("the cursor", func() bool { return a.Status().Webhooks[0].Seq == 6 })
	if again := a.Dead(); !slices.Equal(again, dead) {
		t.Fatalf("after a restart %+v", again)
	}
	if x, err := a.Redeliver(t.Context(), "a", dead[1].Seq); err != nil || x.Delivered != 1 || x.Left != 0 ||
		len(a.Dead()) != 1 {
		t.Fatalf("%+v, %v", x, err)
	}
	if x, err := a.Redeliver(t.Context(), "a", 0); err != nil || x.Delivered != 1 || x.Left != 0 || len(a.Dead()) != 0 {
		t.Fatalf("%+v, %v", x, err)
	}
	if got := r.have(); len(got) != 6 || !slices.Contains(got, want[1]) || !slices.Contains(got, want[3]) {
		t.Fatalf("%v", got)
	}
	if _, err := a.Redeliver(t.Context(), "nosuch", 0); err == nil {
		t.Error("a webhook that is not there")
	}
}

// TestGiveUp: an alert that is too old when an attempt fails becomes a dead letter; redelivery to a
// receiver that is still away leaves it.
func TestGiveUp(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	w := hook("a", "http://127.0.0.1:1/")
	w.GiveUp = time.Nanosecond
	w.Types = []string{"policy_violation"}
	a := f.alerter(f.Store, alert.Config{Lag: -1, Webhooks: []alert.Webhook{w}})
	f.Run("alerter", a.Run)
	f.publish(600) // more than a page of them
	f.publish(1500)
	f.Seal()
	f.Until("all dead", func() bool { return len(a.Dead()) == 700 })
	for _, l := range a.Dead() {
		if l.Attempts != 1 || l.Type != "policy_violation" || l.Webhook != "a" {
			t.Fatalf("%+v", l)
		}
	}
	x, err := a.Redeliver(t.Context(), "", 0)
	if err != nil || x.Delivered != 0 || x.Failed != 3 || x.Left != 700 || x.Why == "" || len(a.Dead()) != 700 {
		t.Fatalf("%+v, %v", x, err)
	}
}

// TestFilterOfWebhook: a receiver gets the types and rules that it asks for, from where it was first configured.
func TestFilterOfWebhook(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.publish(30)
	f.Seal()
	a := f.alerter(f.Store, alert.Config{Lag: -1, Rules: rules})
	stop := f.Run("alerter", a.Run)
	f.Until("the first", func() bool { return a.Status().Next == 31 })
	stop()
	before := len(f.told())
	r := newReceiver(t)
	w := hook("a", r.URL)
	w.Rules = []string{"crm-1"}
	a = f.alerter(f.Store, alert.Config{Lag: -1, Rules: rules, Webhooks: []alert.Webhook{w}})
	f.Run("alerter again", a.Run)
	f.publish(30)
	f.Seal()
	f.Until("the end", func() bool { return a.Status().Webhooks[0].Seq > uint64(before) && a.Status().Next == 61 })
	var want []string
	for _, x := range f.told()[before:] {
		if x.Rule == "crm-1" {
			want = append(want, x.ID)
		}
	}
	f.Until("its alerts", func() bool { return slices.Equal(r.have(), want) })
	if len(want) == 0 {
		t.Fatal("nothing to see")
	}
}

// TestOldAlerts: a webhook that is configured for a log with a past is not told of that past.
func TestOldAlerts(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	info, err := f.Store.Events.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []entry.Message // EVENTS as it was a year ago
	for seq := info.First; seq <= info.Last; seq++ {
		m, err := f.Store.Events.Get(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	m := list[len(list)-1]
	m.Seq, m.Time, m.Subject = m.Seq+1, time.Now().AddDate(-1, 0, 0), "audit.default.events.open"
	m.Data = []byte(`{"specversion":"1.0","id":"old","source":"did:web:a","type":"ai.agentmesh.policy.violation"}`)
	f.Store.Events = store.NewMemoryStreamOf(info.Created, append(list, m))
	f.Seal()
	r := newReceiver(t)
	a := f.alerter(f.Store, alert.Config{Lag: -1, Webhooks: []alert.Webhook{hook("a", r.URL)}})
	f.Run("alerter", a.Run)
	f.publish(3)
	f.Seal()
	f.Until("the new one", func() bool { return a.Status().Webhooks[0].Seq == 2 })
	if told := f.told(); len(told) != 2 || !slices.Equal(r.have(), ids(told[1:])) {
		t.Fatalf("%d told, %d delivered", len(told), len(r.have()))
	}
}

// TestRedeliverSlow: a receiver that never answers costs whoever asks a bounded time, and what was
// not tried is counted; a letter that is not there is none.
func TestRedeliverSlow(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	r := newReceiver(t)
	hang := false
	r.answer = func(w http.ResponseWriter, q *http.Request, _ string, _ int) bool {
		r.mu.Lock()
		now := hang
		r.mu.Unlock()
		if now {
			<-q.Context().Done()
		}
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	a := f.alerter(f.Store, alert.Config{Lag: -1, Webhooks: []alert.Webhook{hook("a", r.URL)}})
	f.Run("alerter", a.Run)
	f.publish(9)
	f.Seal()
	f.Until("dead letters", func() bool { return len(a.Dead()) == 3 })
	r.mu.Lock()
	hang = true
	r.mu.Unlock()
	alert.RedeliverFor(t, 50*time.Millisecond)
	if x, err := a.Redeliver(t.Context(), "", 0); err != nil || x.Delivered != 0 || x.Failed != 1 || x.Left != 3 ||
		x.Why == "" {
		t.Errorf("%+v, %v", x, err)
	}
	if x, err := a.Redeliver(t.Context(), "", 4); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%+v, %v", x, err)
	}
}

// stuck is a bucket that does not answer.
type stuck struct {
	store.KV
	asked chan string
}

func (s *stuck) Put(ctx context.Context, key string, value []byte) error {
	if strings.Contains(key, "/dead/") {
		s.asked <- key
		<-ctx.Done()
		return ctx.Err()
	}
	return s.KV.Put(ctx, key, value)
}

// TestStatusDoesNotWait: whoever asks how a webhook fares does not wait for the store.
func TestStatusDoesNotWait(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	r := newReceiver(t)
	r.answer = func(w http.ResponseWriter, _ *http.Request, _ string, _ int) bool {
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	kv := &stuck{f.Store.Cursors, make(chan string)}
	f.Store.Cursors = kv
	a := f.alerter(f.Store, alert.Config{Lag: -1, Webhooks: []alert.Webhook{hook("a", r.URL)}})
	f.Run("alerter", a.Run)
	f.publish(3)
	f.Seal()
	<-kv.asked
	// a minute here would be the test's end
	if st := a.Status(); st.Webhooks[0].Dead != 0 || st.Webhooks[0].Failing == "" {
		t.Errorf("%+v", st)
	}
}
