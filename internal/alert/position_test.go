package alert_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/store"
)

// TestBeyondTheNewest: a sequence that no alert has yet is refused: the alerts up to there would never be told.
func TestBeyondTheNewest(t *testing.T) {
	f := newFixture(t, store.NewMemory("default"))
	f.publish(50)
	f.Seal()
	a := f.alerter(f.Store, alert.Config{Rules: rules, Lag: -1})
	f.Run("alerter", a.Run)
	f.Until("the end", func() bool { return a.Status().Next == 51 })
	s := httptest.NewServer(a.Handler())
	defer s.Close()
	newest := f.told()[len(f.told())-1].Seq
	if newest >= 5000 {
		t.Fatalf("%d alerts", newest)
	}
	for _, c := range []struct {
		path string
		last []string // of the header
		want int
	}{
		{"/v1/alerts?after=5000", nil, 400}, {"/v1/alerts?after=9223372036854775807", nil, 400}, {"/v1/alerts?after=01", nil, 400}, {"/v1/alerts?after=%2B1", nil, 400}, {"/v1/alerts?limit=%2B1", nil, 400},
		{"/v1/alerts/stream?after=5000", nil, 400}, {"/v1/alerts/stream", []string{"5000"}, 400}, {"/v1/alerts/stream?after=1", []string{"5000"}, 400},
		{"/v1/alerts/stream", []string{""}, 400}, {"/v1/alerts/stream", []string{"1", "2"}, 400}, {"/v1/alerts/stream", []string{"", "1"}, 400}, {"/v1/alerts/stream", []string{"007"}, 400},
		{"/v1/alerts?after=1", nil, 200}, {"/v1/alerts/stream?after=0", nil, 200}, {"/v1/alerts/stream", []string{"1"}, 200}, {"/v1/alerts/stream", nil, 200},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.last != nil {
			req.Header["Last-Event-Id"] = c.last
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != c.want {
			t.Errorf("%s %q: %s, want %d", c.path, c.last, resp.Status, c.want)
		} else if c.want != 200 {
			if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"field":`) {
				t.Errorf("%s %q: %s %v", c.path, c.last, body, err)
			}
		}
		resp.Body.Close()
		cancel()
	}
}
