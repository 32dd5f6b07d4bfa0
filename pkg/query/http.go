package query

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// route is one path of the API. All of them are read alone, and documented in openapi.json.
type route struct {
	path   string
	handle func(q *Query, w http.ResponseWriter, r *http.Request, p *params) error
}

var routes = []route{
	{"/v1/entries", (*Query).getEntries},
	{"/v1/entries/{index}", (*Query).getUnderEntries},
	{"/v1/entries/{index}/proof", (*Query).getUnderEntries},
	{"/v1/entries/id/{id}", (*Query).getUnderEntries},
	{"/v1/entries/id/{id}/proof", (*Query).getUnderEntries},
	{"/v1/agents/{did}/entries", (*Query).getAgentEntries},
	{"/v1/types/{type}/entries", (*Query).getTypeEntries},
	{"/v1/traces/{id}", (*Query).getTrace},
	{"/v1/sessions/{id}", (*Query).getSession},
	{"/v1/stream", (*Query).getStream},
	{"/v1/consistency", (*Query).getConsistency},
	{"/v1/verify", (*Query).getVerify},
	{"/v1/export", (*Query).getExport},
	{"/v1/stats", (*Query).getStats},
	{"/v1/counts", (*Query).getCounts},
	{"/checkpoint", (*Query).getCheckpoint},
	{"/tile/{level}/{tile}", (*Query).getTile},
	{"/tile/entries/{tile}", (*Query).getTile},
	{"/logs/{log}/checkpoint", (*Query).getUnderLogs},
	{"/logs/{log}/tile/{level}/{tile}", (*Query).getUnderLogs},
	{"/logs/{log}/tile/entries/{tile}", (*Query).getUnderLogs},
	{"/healthz", (*Query).getHealth},
	{"/readyz", (*Query).getReady},
	{"/openapi.json", (*Query).getOpenAPI},
}

// pattern is the path as the multiplexer takes it. Wildcards in it would not do: an id can be anything, even a slash.
func (r route) pattern() string {
	if fixed, _, wild := strings.Cut(r.path, "{"); wild {
		return fixed + "{rest...}"
	}
	return r.path
}

// below are the decoded parts of a path behind a prefix.
func below(r *http.Request, prefix string) ([]string, error) {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), prefix), "/")
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil || parts[i] == "" {
			return nil, errPath
		}
	}
	return parts, nil
}

// getUnderEntries serves the four paths below /v1/entries/.
func (q *Query) getUnderEntries(w http.ResponseWriter, r *http.Request, p *params) error {
	parts, err := below(r, "/v1/entries/")
	if err != nil {
		return err
	}
	switch n := len(parts); {
	case n == 1:
		return q.getEntry(w, r, p, parts[0])
	case n == 2 && parts[0] == "id":
		return q.getEntryByID(w, r, p, parts[1])
	case n == 2 && parts[1] == "proof":
		return q.getProof(w, r, p, parts[0])
	case n == 3 && parts[0] == "id" && parts[2] == "proof":
		return q.getProofByID(w, r, p, parts[1])
	}
	return errPath
}

// Handler serves the HTTP API. Who may reach it, and under which host names, is the caller's matter.
func (q *Query) Handler() http.Handler {
	mux := http.NewServeMux()
	seen := map[string]bool{}
	for _, route := range routes {
		pattern := route.pattern()
		if seen[pattern] {
			continue
		}
		seen[pattern] = true
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
			p := parseParams(r)
			err := q.checkLog(p)
			if err == nil {
				err = route.handle(q, w, r, p)
			}
			if err != nil {
				q.fail(w, r, err)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { notServed(w, r, mux) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

var errPath = fmt.Errorf("path: %w: /openapi.json lists them (ids in paths are percent-encoded)", ErrNotFound)

// notServed tells a wrong path from a wrong method.
func notServed(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	get := r.Clone(r.Context())
	get.Method = http.MethodGet
	if _, pattern := mux.Handler(get); pattern != "/" {
		w.Header().Set("Allow", "GET, HEAD")
		writeProblem(w, newProblem(http.StatusMethodNotAllowed, "this path is read with GET"))
		return
	}
	writeProblem(w, problemOf(errPath))
}

// checkLog: this service has one log.
func (q *Query) checkLog(p *params) error {
	if name, given := p.one("log"); given && name != q.cfg.Log.Name && p.err == nil {
		return fmt.Errorf("log %.40q: %w", name, ErrNotFound)
	}
	return p.err
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // that a client has gone is no concern of ours
}

func writeJSON(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, "application/json", append(b, '\n'))
	return nil
}
