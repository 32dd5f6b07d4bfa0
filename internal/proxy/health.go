package proxy

import (
	"encoding/json"
	"maps"
	"net/http"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/readiness"
	"github.com/sealstream/sealstream/pkg/api"
)

// serveHealth answers /healthz, /readyz and its two sides, in front of all services. It reports
// whether the path is one of them.
func (f *front) serveHealth(w http.ResponseWriter, r *http.Request) bool {
	pages := map[string]http.HandlerFunc{
		"/healthz":      func(w http.ResponseWriter, _ *http.Request) { httpapi.JSON(w, http.StatusOK, alive) },
		"/readyz":       f.readyz,
		"/readyz/write": func(w http.ResponseWriter, _ *http.Request) { readySide(w, "write", f.pools[Ingest]) },
		"/readyz/read":  func(w http.ResponseWriter, _ *http.Request) { readySide(w, "read", f.pools[Query]) },
	}
	page, known := pages[r.URL.Path]
	if !known {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		httpapi.Refuse(w, http.StatusMethodNotAllowed, "this path is read with GET")
		return true
	}
	_, log := f.state()
	httpapi.ForLog(log, page).ServeHTTP(w, r)
	return true
}

// alive says that the proxy runs. What is wrong with the services is on /readyz.
var alive = map[string]any{"status": "ok", "conditions": []string{}}

// readySide answers whether a service has a replica that is ready.
func readySide(w http.ResponseWriter, side string, p *pool) {
	if why := p.why(); why != "" {
		httpapi.ProblemWith(w, api.Problem{Status: http.StatusServiceUnavailable, Detail: why}, map[string]any{side: why})
		return
	}
	httpapi.JSON(w, http.StatusOK, map[string]string{"status": "ready", side: "ready"})
}

// readyz is 200 when events are accepted and questions are answered. Alerts that nobody serves make
// it no worse, since they wait for their service.
func (f *front) readyz(w http.ResponseWriter, _ *http.Request) {
	body, _ := f.state()
	why := ""
	for _, side := range []struct {
		name     string
		pool     *pool
		required bool
	}{
		{"alerts", f.pools[Alerts], false}, {"read", f.pools[Query], true}, {"write", f.pools[Ingest], true},
	} {
		body[side.name] = "ready"
		if bad := side.pool.why(); bad != "" {
			body[side.name] = bad
			if side.required {
				why = bad
			}
		}
	}
	if why != "" {
		httpapi.ProblemWith(w, api.Problem{Status: http.StatusServiceUnavailable, Detail: why}, body)
		return
	}
	body["status"] = "ready"
	httpapi.JSON(w, http.StatusOK, body)
}

// state merges what one replica of each service says of itself, and returns the log's name, as far
// as one of them says it.
func (f *front) state() (body map[string]any, log string) {
	body = map[string]any{}
	conditions, seen := []readiness.Condition{}, map[readiness.Condition]bool{}
	for _, s := range []Service{Alerts, Ingest, Query} { // of members with one name, query's counts
		page := f.pools[s].page()
		if page == nil {
			continue
		}
		maps.Copy(body, page.Members)
		for _, c := range page.Conditions {
			if !seen[c] {
				seen[c] = true
				conditions = append(conditions, c)
			}
		}
	}
	if raw, ok := body["log"].(json.RawMessage); ok {
		json.Unmarshal(raw, &log) // it stays empty if the name is none
	}
	body["conditions"] = conditions
	return body, log
}
