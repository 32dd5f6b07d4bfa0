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
	readers     = rule{needs: "the scope read", may: has(access.Read)}
	fullReaders = rule{needs: "the scope read: all", may: access.Caller.SeesAll}
	exporters   = rule{
		needs: "the scopes export and read", long: true,
		may: func(c access.Caller) bool { return c.Has(access.Export) && c.Has(access.Read) },
	}
	checkers = rule{
		needs: "the scope read or proof",
		may:   func(c access.Caller) bool { return c.Has(access.Read) || c.Has(access.Proof) },
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

	"GET /v1/entries":                     readers,
	"GET /v1/entries/{index}":             readers,
	"GET /v1/entries/{index}/proof":       readers,
	"GET /v1/entries/id/{id}":             readers,
	"GET /v1/entries/id/{id}/proof":       readers,
	"GET /v1/agents/{did}/entries":        readers,
	"GET /v1/types/{type}/entries":        readers,
	"GET /v1/traces/{id}":                 readers,
	"GET /v1/sessions/{id}":               readers,
	"GET /v1/stream":                      readers.lasting(),
	"GET /v1/counts":                      readers,
	"GET /v1/stats":                       readers,
	"POST /api/v1/audit/query":            readers,
	"GET /api/v1/audit/summary":           readers,
	"GET /v1/export":                      exporters,
	"GET /tile/entries/{tile}":            fullReaders,
	"GET /logs/{log}/tile/entries/{tile}": fullReaders,

	"GET /checkpoint":                     checkers,
	"GET /logs/{log}/checkpoint":          checkers,
	"GET /v1/consistency":                 checkers,
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
