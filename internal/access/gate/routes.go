package gate

import (
	"github.com/sealstream/sealstream/internal/access"
)

// rule says who may use a route.
type rule struct {
	needs string                   // what the caller lacks, for the problem
	may   func(access.Caller) bool // nil: everybody, without a credential
	long  bool                     // the answer may run for long, and is judged again
}

var (
	everybody   = rule{}
	known       = rule{needs: "a credential", may: access.Caller.Known}
	publishers  = rule{needs: "the scope publish", may: has(access.Publish)}
	fullReaders = rule{needs: "the scope read: all", may: access.Caller.SeesAll}
	exporters   = rule{
		needs: "the scopes export and read: all", long: true,
		may: func(c access.Caller) bool { return c.Has(access.Export) && c.SeesAll() },
	}
	provers  = rule{needs: "the scope proof", may: has(access.Proof)}
	alerted  = rule{needs: "the scope alerts", may: has(access.Alerts)}
	admins   = rule{needs: "the scope admin", may: has(access.Admin)}
	auditors = rule{
		needs: "the scope admin or read: all",
		may:   func(c access.Caller) bool { return c.Has(access.Admin) || c.SeesAll() },
	}
)

func has(s access.Scope) func(access.Caller) bool {
	return func(c access.Caller) bool { return c.Has(s) }
}

func (r rule) lasting() rule {
	r.long = true
	return r
}

// rules has one rule for each operation of openapi.json. What has none is not served.
var rules = map[string]rule{
	"POST /v1/events":          publishers,
	"POST /api/v1/audit/log":   publishers,
	"POST /api/v1/audit/batch": publishers,

	"GET /v1/entries":                     fullReaders,
	"GET /v1/entries/{index}":             fullReaders,
	"GET /v1/entries/{index}/proof":       fullReaders,
	"GET /v1/entries/id/{id}":             fullReaders,
	"GET /v1/entries/id/{id}/proof":       fullReaders,
	"GET /v1/agents/{did}/entries":        fullReaders,
	"GET /v1/types/{type}/entries":        fullReaders,
	"GET /v1/traces/{id}":                 fullReaders,
	"GET /v1/sessions/{id}":               fullReaders,
	"GET /v1/stream":                      fullReaders.lasting(),
	"GET /v1/counts":                      fullReaders,
	"GET /v1/stats":                       fullReaders,
	"POST /api/v1/audit/query":            fullReaders,
	"GET /api/v1/audit/summary":           fullReaders,
	"GET /v1/export":                      exporters,
	"GET /tile/entries/{tile}":            fullReaders,
	"GET /logs/{log}/tile/entries/{tile}": fullReaders,

	"GET /checkpoint":                     provers,
	"GET /logs/{log}/checkpoint":          provers,
	"GET /v1/consistency":                 provers,
	"GET /tile/{level}/{tile}":            provers,
	"GET /logs/{log}/tile/{level}/{tile}": provers,

	"GET /v1/verify":           auditors.lasting(),
	"GET /api/v1/audit/verify": auditors.lasting(),
	"GET /v1/archive":          auditors,
	"GET /v1/archive/verify":   auditors.lasting(),

	"GET /v1/alerts":            alerted,
	"GET /v1/alerts/stream":     alerted.lasting(),
	"GET /v1/alerts/status":     admins,
	"GET /v1/alerts/dead":       admins,
	"POST /v1/alerts/redeliver": admins,
	"GET /metrics":              admins,

	"GET /":             known,
	"GET /openapi.json": known,
	"GET /healthz":      everybody,
	"GET /readyz":       everybody,
	"GET /readyz/read":  everybody,
	"GET /readyz/write": everybody,
}
