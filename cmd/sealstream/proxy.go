package main

import (
	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/internal/proxy"
	"github.com/sealstream/sealstream/internal/settings"
)

type proxyCmd struct {
	To     []string `arg:"" help:"Base URLs of the replicas." placeholder:"URL"`
	Ingest []string `help:"Base URL of an ingest service, which receives events. Repeat it for several, which take turns." env:"SEALSTREAM_INGEST" placeholder:"URL"`
	Alerts []string `help:"Base URL of an alert service, which receives requests to /v1/alerts. Repeat it for several." env:"SEALSTREAM_ALERTS" placeholder:"URL"`
	HTTP   string   `help:"Address to listen on." default:"127.0.0.1:8420" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Rotate bool     `help:"Send each request to the next ready replica. Without it, the first ready replica gets all requests." env:"SEALSTREAM_ROTATE"`
	Expose bool     `help:"Listen on addresses other than the loopback without TLS. Use it only in a trusted network." env:"SEALSTREAM_EXPOSE"`
	settings.TLSFlags
	program.LogFlags
}

func (*proxyCmd) Help() string {
	return `With --ingest and --alerts, the replicas are those of query, and the proxy is the one address for all of
a log. Without these flags, the replicas get all requests. A replica that is not ready, or does not
answer, gets none. Replicas with https URLs are verified with --ca.

Beyond the loopback, the proxy needs TLS, and uses only services that run with --access. With --expose
it needs neither.

Example:
  sealstream proxy http://query-1:8420 http://query-2:8420 \
    --ingest http://ingest-1:8410 --ingest http://ingest-2:8410 \
    --alerts http://alert:8430`
}

// Run serves until a signal ends it.
func (c *proxyCmd) Run(a *app, flags *commands) error {
	defer a.asService()()
	return proxy.Serve(a.ctx, proxy.Config{
		Addr:   c.HTTP,
		To:     c.To,
		Ingest: c.Ingest,
		Alerts: c.Alerts,
		Files:  flags.where().tlsFiles(),
		Rotate: c.Rotate,
		Expose: c.Expose,
		TLS:    c.TLSFlags,
		Logger: c.Logger(a.err),
	})
}
