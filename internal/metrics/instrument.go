package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealstream/sealstream/internal/httpapi"
)

// Instrument counts requests by route, method and status, and times them. Streams are counted when
// they end, and not timed. It also serves /metrics.
func (r *Registry) Instrument(next http.Handler) http.Handler {
	own := httpapi.ForLog("", r.handler())
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s, begin := &statusWriter{ResponseWriter: w}, time.Now()
		defer func() {
			m := r.requestOf(outcome{req.Pattern, methodOf(req), s.label()})
			m.count.Inc()
			if m.took != nil {
				m.took.Observe(time.Since(begin).Seconds())
			}
		}()
		if req.URL.Path == "/metrics" && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
			req.Pattern = "GET /metrics"
			own.ServeHTTP(s, req)
		} else {
			next.ServeHTTP(s, req)
		}
		s.done = true
	})
}

// outcome is what requests are counted by.
type outcome struct{ pattern, method, status string }

// requestMetrics are the metrics of one outcome.
type requestMetrics struct {
	count prometheus.Counter
	took  prometheus.Observer // nil for streams
}

// requestOf returns the metrics of an outcome. Looking them up by their labels costs more than the
// handlers of small requests do.
func (r *Registry) requestOf(o outcome) requestMetrics {
	if m, ok := r.outcomes.Load(o); ok {
		return m.(requestMetrics)
	}
	route := routeOf(o.pattern)
	m := requestMetrics{count: r.requests.WithLabelValues(route, o.method, o.status)}
	if !strings.HasSuffix(route, "/stream") {
		m.took = r.seconds.WithLabelValues(route)
	}
	r.outcomes.Store(o, m)
	return m
}

// routeOf is the route of the pattern that the multiplexer has found, so that there are as many
// routes as the API has.
func routeOf(pattern string) string {
	_, path, _ := strings.Cut(pattern, " ")
	if path == "" {
		path = pattern
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
