package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
)

// Instrument counts requests by route, method and status, and times them. Streams are counted when
// they end, and not timed. It also serves /metrics.
func (r *Registry) Instrument(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", httpapi.ForLog("", r.handler()))
	mux.Handle("/", next)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s, begin := &statusWriter{ResponseWriter: w}, time.Now()
		defer func() {
			route := routeOf(req)
			r.requests.WithLabelValues(route, methodOf(req), s.label()).Inc()
			if !strings.HasSuffix(route, "/stream") {
				r.seconds.WithLabelValues(route).Observe(time.Since(begin).Seconds())
			}
		}()
		mux.ServeHTTP(s, req)
		s.done = true
	})
}

// routeOf is the pattern that the innermost multiplexer has found, so that there are as many routes
// as the API has.
func routeOf(r *http.Request) string {
	_, path, _ := strings.Cut(r.Pattern, " ")
	if path == "" {
		path = r.Pattern
	}
	if path == "" || path == "/" {
		return "other"
	}
	return strings.TrimSuffix(path, "{rest...}")
}

func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// statusWriter remembers the status. Whoever wants to flush, or to set deadlines, finds what it
// wraps.
type statusWriter struct {
	http.ResponseWriter
	status int
	done   bool // the handler has returned, and not broken off
}

func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *statusWriter) WriteHeader(status int) {
	if s.status == 0 && status >= 200 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) label() string {
	switch {
	case !s.done:
		return "aborted"
	case s.status == 0:
		return "200"
	}
	return strconv.Itoa(s.status)
}
