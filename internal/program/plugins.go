package program

import (
	"maps"

	pgsink "github.com/sealstream/sealstream/internal/sinks/postgres"

	"github.com/sealstream/sealstream/internal/access/accessfile"
	"github.com/sealstream/sealstream/internal/access/oidc"
	"github.com/sealstream/sealstream/internal/alert/rulesfile"
	"github.com/sealstream/sealstream/internal/metrics"
	"github.com/sealstream/sealstream/internal/node"
	redactfile "github.com/sealstream/sealstream/pkg/redact/rulesfile"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Plugins are what every program of this repository adds to the wiring: metrics for Prometheus,
// files of rules in YAML, and sinks that write to PostgreSQL. Sinks of more replace built-in ones
// of the same scheme; more may be nil.
func Plugins(more sink.Schemes) node.Plugins {
	schemes := sink.Schemes{"postgres": pgsink.Scheme, "postgresql": pgsink.Scheme}
	maps.Copy(schemes, more)
	return node.Plugins{
		Metrics:        func(log string) node.Metrics { return metrics.New(log) },
		Schemes:        schemes,
		ParseAlerts:    rulesfile.Parse,
		ParseRedaction: redactfile.Parse,
		ParseAccess:    accessfile.Parse,
		VerifyJWT:      new(oidc.Verifier).Verify,
	}
}
