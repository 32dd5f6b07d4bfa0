package query

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/api"
)

// route is one path of the API. All paths are read-only, and documented in openapi.json.
type route struct {
	path   string
	handle func(q *Query, w http.ResponseWriter, r *http.Request, p *httpapi.Params) error
	// cost is the memory that a request takes at most, in bytes. 0 means that it takes little, or
	// that handle takes a share of the budget itself.
	cost int64
}

// The costs of requests: an entry with its data, or the batch that it is in; a bundle of leaves; a
// page that is held, with the piece that is encoded.
const (
	entryCost  = 2 << 20
	bundleCost = 4 << 20
	pageCost   = maxHeld + maxHeld/4 + pieceCost
)

var routes = []route{
	{"/", (*Query).getRoot, 0},
	{"/v1/entries", (*Query).getEntries, pageCost},
	{"/v1/entries/{index}", (*Query).getUnderEntries, entryCost},
	{"/v1/entries/{index}/proof", (*Query).getUnderEntries, entryCost},
	{"/v1/entries/id/{id}", (*Query).getUnderEntries, entryCost},
	{"/v1/entries/id/{id}/proof", (*Query).getUnderEntries, entryCost},
	{"/v1/agents/{did}/entries", (*Query).getAgentEntries, pageCost},
	{"/v1/types/{type}/entries", (*Query).getTypeEntries, pageCost},
	{"/v1/traces/{id}", (*Query).getTrace, pageCost},
	{"/v1/sessions/{id}", (*Query).getSession, pageCost},
	{"/v1/stream", (*Query).getStream, 0},
	{"/v1/consistency", (*Query).getConsistency, entryCost},
	{"/v1/verify", (*Query).getVerify, 0},
	{"/v1/export", (*Query).getExport, 0},
	{"/v1/stats", (*Query).getStats, 0},
	{"/v1/counts", (*Query).getCounts, 0},
	{"/checkpoint", (*Query).getCheckpoint, 0},
	{"/tile/{level}/{tile}", (*Query).getTile, bundleCost},
	{"/tile/entries/{tile}", (*Query).getTile, bundleCost},
	{"/logs/{log}/checkpoint", (*Query).getUnderLogs, bundleCost},
	{"/logs/{log}/tile/{level}/{tile}", (*Query).getUnderLogs, bundleCost},
	{"/logs/{log}/tile/entries/{tile}", (*Query).getUnderLogs, bundleCost},
	{"/healthz", (*Query).getHealth, 0},
	{"/readyz", (*Query).getReady, 0},
	{"/openapi.json", (*Query).getOpenAPI, 0},
}

// pattern returns the path for the multiplexer. It has no wildcards, since an id can be anything,
// even a slash.
func (r route) pattern() string {
	if r.path == "/" {
		return "/{$}" // matches only the root
	}
	if fixed, _, wild := strings.Cut(r.path, "{"); wild {
		return fixed + "{rest...}"
	}
	return r.path
}

// below returns the decoded parts of a path after a prefix.
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
func (q *Query) getUnderEntries(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
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

// Handler serves the HTTP API. Access control and host names are up to the caller.
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
			r = r.WithContext(q.withSight(r.Context()))
			p := httpapi.ParseParams(r)
			err := q.checkLog(p)
			if err == nil {
				err = q.reading(w, r, route.cost, func(w http.ResponseWriter, r *http.Request) error {
					return route.handle(q, w, r, p)
				})
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
		if n := q.rechecking(); n > 0 {
			w.Header().Set(RecheckingHeader, strconv.FormatUint(n, 10))
		}
		mux.ServeHTTP(w, r)
	})
}

// RecheckingHeader is set while answers may rest on index files that are not yet compared with the
// log. Its value is the number of entries in them.
const RecheckingHeader = "Sealstream-Rechecking"

var errPath = fmt.Errorf("path: %w: /openapi.json lists them (ids in paths are percent-encoded)", ErrNotFound)

// notServed answers a request with a wrong path or a wrong method.
func notServed(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	get := r.Clone(r.Context())
	get.Method = http.MethodGet
	if _, pattern := mux.Handler(get); pattern != "/" {
		w.Header().Set("Allow", "GET, HEAD")
		httpapi.Problem(w, api.Problem{Status: http.StatusMethodNotAllowed, Detail: "this path is read with GET"})
		return
	}
	httpapi.Problem(w, problemOf(errPath))
}

// checkLog checks that the parameter log, if given, names the log of this service.
func (q *Query) checkLog(p *httpapi.Params) error {
	if name, given := p.One("log"); given && name != q.cfg.Log.Name && p.Err() == nil {
		return fmt.Errorf("log %.40q: %w", name, ErrNotFound)
	}
	return p.Err()
}

// write writes a whole answer. Until the client has read it, it is all that the request holds.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	if w, ok := w.(*reply); ok {
		w.share.keep(int64(cap(body)))
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // an error means that the client has gone
}
