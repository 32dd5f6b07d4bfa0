package alert_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/store"
)

// TestEveryStatus: only 400, 413 and 422, five times, make a dead letter before give_up. Each other status is
// tried again until the receiver takes the alert.
func TestEveryStatus(t *testing.T) {
	early := []int{400, 413, 422}
	for status := 300; status < 600; status++ {
		if http.StatusText(status) == "" && status != 599 {
			continue
		}
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, store.NewMemory("default"))
			r := newReceiver(t)
			r.answer = func(w http.ResponseWriter, q *http.Request, _ string, try int) bool {
				if try > 8 {
					return false
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
				return true
			}
			w := hook("a", r.URL)
			w.MaxBackOff = 2 * time.Millisecond
			a := f.alerter(f.Store, alert.Config{Lag: -1, Webhooks: []alert.Webhook{w}})
			f.Run("alerter", a.Run)
			f.publish(3)
			f.Seal()
			f.Until("the end of it", func() bool { s := a.Status().Webhooks[0]; return s.Delivered+s.GivenUp == 1 })
			dead := len(a.Dead()) == 1
			if dead != slices.Contains(early, status) || dead && a.Dead()[0].Attempts != 5 {
				t.Errorf("dead: %v %+v", dead, a.Dead())
			}
		})
	}
}

// TestEveryStatusGivesUp: give_up ends the attempts, whatever the status.
func TestEveryStatusGivesUp(t *testing.T) {
	for _, status := range []int{302, 401, 405, 410, 429, 500, 503} {
		f := newFixture(t, store.NewMemory("default"))
		r := newReceiver(t)
		r.answer = func(w http.ResponseWriter, _ *http.Request, _ string, _ int) bool {
			w.WriteHeader(status)
			return true
		}
		w := hook("a", r.URL)
		w.GiveUp = 20 * time.Millisecond
		a := f.alerter(f.Store, alert.Config{Lag: -1, Webhooks: []alert.Webhook{w}})
		stop := f.Run("alerter", a.Run)
		f.publish(3)
		f.Seal()
		f.Until("the dead letter", func() bool { return len(a.Dead()) == 1 })
		stop()
	}
}

// TestEcho: a receiver that repeats the URL in its answer does not bring what is secret in it into
// status and dead letters.
func TestEcho(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	r := newReceiver(t)
	r.answer = func(w http.ResponseWriter, q *http.Request, _ string, _ int) bool {
		http.Error(w, "Cannot POST "+q.URL.RequestURI(), http.StatusBadRequest)
		return true
	}
	a := f.alerter(f.Store, alert.Config{
		Lag: -1, Webhooks: []alert.Webhook{hook("a", r.URL+"/services/T0/s3cret-path?key=s3cret")},
	})
	f.Run("alerter", a.Run)
	f.publish(3)
	f.Seal()
	f.Until("the dead letter", func() bool { return len(a.Dead()) == 1 })
	if text := fmt.Sprintf("%+v %+v", a.Dead(), a.Status()); strings.Contains(text, "s3cret") ||
		!strings.Contains(text, "Cannot POST") {
		t.Fatal(text)
	}
}
