package proxy

import "strings"

// Service is what answers a path.
type Service int

// The services of a log that clients ask.
const (
	Query  Service = iota // entries, proofs, exports, and all that no other service answers
	Ingest                // what records
	Alerts                // alerts
	Health                // the health of all services, which the proxy answers
)

// paths says which service answers a path. A path that ends with a slash stands for all that begin
// with it, except for the root.
var paths = map[string]Service{
	"/v1/events":            Ingest,
	"/api/v1/audit/log":     Ingest,
	"/api/v1/audit/batch":   Ingest,
	"/v1/alerts":            Alerts,
	"/v1/alerts/":           Alerts,
	"/healthz":              Health,
	"/readyz":               Health,
	"/readyz/":              Health,
	"/":                     Query,
	"/v1/entries":           Query,
	"/v1/entries/":          Query,
	"/v1/agents/":           Query,
	"/v1/types/":            Query,
	"/v1/traces/":           Query,
	"/v1/sessions/":         Query,
	"/v1/stream":            Query,
	"/v1/counts":            Query,
	"/v1/stats":             Query,
	"/v1/consistency":       Query,
	"/v1/verify":            Query,
	"/v1/export":            Query,
	"/v1/archive":           Query,
	"/v1/archive/":          Query,
	"/api/v1/audit/query":   Query,
	"/api/v1/audit/verify":  Query,
	"/api/v1/audit/summary": Query,
	"/checkpoint":           Query,
	"/tile/":                Query,
	"/logs/":                Query,
	"/metrics":              Query,
	"/openapi.json":         Query,
}

// ServiceOf returns the service that answers a path. If no service does, it returns Query, which
// says so, and false.
func ServiceOf(path string) (s Service, known bool) {
	if s, known = paths[path]; known {
		return s, true
	}
	for i := strings.LastIndexByte(path, '/'); i > 0; i = strings.LastIndexByte(path[:i], '/') {
		if s, known = paths[path[:i+1]]; known {
			return s, true
		}
	}
	return Query, false
}
