package node

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// instrument counts requests by route, method and status, and times them. Streams are counted when they end, and not timed. It also serves /metrics.
func (m *metrics) instrument(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", strict("", m.handler()))
	mux.Handle("/", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, begin := &statusWriter{ResponseWriter: w}, time.Now()
		defer func() {
			route := routeOf(r)
			m.requests.WithLabelValues(route, methodOf(r), s.label()).Inc()
			if !strings.HasSuffix(route, "/stream") {
				m.seconds.WithLabelValues(route).Observe(time.Since(begin).Seconds())
			}
		}()
		mux.ServeHTTP(s, r)
		s.done = true
	})
}

// routeOf is the pattern that the innermost multiplexer has found, so that there are as many routes as the API has.
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

// statusWriter remembers the status. Whoever wants to flush, or to set deadlines, finds what it wraps.
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

// strict refuses parameters that a path does not have; log "": not even that one.
func strict(log string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		given := q["log"]
		if log != "" {
			q.Del("log")
		}
		switch {
		case len(q) > 0 || len(given) > 1:
			problem(w, http.StatusBadRequest, "this path has no such parameters")
		case log != "" && len(given) == 1 && given[0] != log:
			problem(w, http.StatusNotFound, "there is no such log here")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// problem answers as RFC 9457 has it.
func problem(w http.ResponseWriter, status int, detail string) {
	answer(w, status, "application/problem+json", map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail})
}
