package main

import (
	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/internal/proxy"
	"github.com/sealstream/sealstream/internal/settings"
)

type proxyCmd struct {
	To     []string `arg:"" help:"Base URLs of the replicas." placeholder:"URL"`
	Alerts []string `help:"Base URL of an alert service, which receives requests to /v1/alerts. Repeat it for several." env:"SEALSTREAM_ALERTS" placeholder:"URL"`
	HTTP   string   `help:"Address to listen on." default:"127.0.0.1:8420" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Rotate bool     `help:"Send each request to the next ready replica. Without it, the first ready replica gets all requests." env:"SEALSTREAM_ROTATE"`
	Expose bool     `help:"Listen on addresses other than the loopback without TLS. Use it only in a trusted network." env:"SEALSTREAM_EXPOSE"`
	settings.TLSFlags
	program.LogFlags
}

func (*proxyCmd) Help() string {
	return `The replicas are all of ingest, or all of query. A replica that is not ready, or does not answer,
gets no requests.

Example:
  sealstream proxy http://query-1:8420 http://query-2:8420 \
    --alerts http://alert:8430`
}

// Run serves until a signal ends it.
func (c *proxyCmd) Run(a *app) error {
	defer a.asService()()
	return proxy.Serve(a.ctx, proxy.Config{
		Addr:   c.HTTP,
		To:     c.To,
		Alerts: c.Alerts,
		Rotate: c.Rotate,
		Expose: c.Expose,
		TLS:    c.TLSFlags,
		Logger: c.Logger(a.err),
	})
}
