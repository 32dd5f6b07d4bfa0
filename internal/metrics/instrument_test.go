package metrics

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestStreamsAreNotTimed: how long somebody listens says nothing of how fast answers are.
func TestStreamsAreNotTimed(t *testing.T) {
	m, mux := New("default"), http.NewServeMux()
	for _, path := range []string{"/v1/stream", "/v1/alerts/stream", "/v1/alerts"} {
		mux.HandleFunc("GET "+path, func(http.ResponseWriter, *http.Request) {})
	}
	h := m.Instrument(mux)
	for _, path := range []string{"/v1/stream", "/v1/alerts/stream", "/v1/alerts"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	if counted, timed := testutil.CollectAndCount(m.requests), testutil.CollectAndCount(m.seconds); counted != 3 ||
		timed != 1 {
		t.Errorf("%d routes counted, %d timed", counted, timed)
	}
}
