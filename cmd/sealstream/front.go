package main

import (
	"log/slog"

	"github.com/sealstream/sealstream/pkg/node"
)

type frontCmd struct {
	To     []string `arg:"" help:"Base URLs of the replicas." placeholder:"URL"`
	HTTP   string   `help:"Where it listens." default:"127.0.0.1:8420" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Rotate bool     `help:"Each request to the next replica that is ready; else all to the first that is." env:"SEALSTREAM_ROTATE"`
	Expose bool     `help:"Listen beyond the loopback: where the network keeps strangers out." env:"SEALSTREAM_EXPOSE"`
}

func (*frontCmd) Help() string {
	return "One address before several replicas of ingest or query. A replica that is not ready, or does not answer, gets no request.\n\nExample:\n  sealstream front http://query-1:8420 http://query-2:8420"
}

// Run serves until a signal.
func (c *frontCmd) Run(a *app) error {
	return node.Front(a.ctx, node.FrontConfig{Addr: c.HTTP, To: c.To, Rotate: c.Rotate, Expose: c.Expose, Logger: slog.New(slog.NewTextHandler(a.err, nil))})
}
