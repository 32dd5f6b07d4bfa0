package node

import (
	"context"
	"net/http"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/ingest"
	"github.com/sealstream/sealstream/streams"
)

// IngestService accepts events over HTTP and writes them to EVENTS.
type IngestService struct {
	ServiceFlags
	HTTP       string `help:"Where it listens." default:"127.0.0.1:8410" env:"SEALSTREAM_HTTP" placeholder:"ADDR"`
	Key        string `help:"File with the log's public key, for receipts of sealed events." default:"log.pub" type:"path" placeholder:"FILE"`
	EventsOpen bool   `help:"Accept any source on submit.open. Only where NATS has no authentication."`

	WitnessPolicy string `help:"The witness policy that the sealer has, for receipts of witnessed events." type:"path" env:"SEALSTREAM_WITNESS_POLICY" placeholder:"FILE"`
}

// Serve implements Service.
func (s *IngestService) Serve(ctx context.Context) error {
	keys, err := s.check(s.HTTP, s.Key)
	if err != nil {
		return err
	}
	policy, err := readPolicy(s.WitnessPolicy, keys...)
	if err != nil {
		return err
	}
	log := s.logger()
	return s.serve(ctx, "ingest", s.HTTP, func(nc *nats.Conn, g, web *group) (http.Handler, error) {
		l, err := awaitLog(ctx, nc, streams.Config{Log: s.Log, Replicas: s.Replicas}, log)
		if err != nil {
			return nil, err
		}
		m := newMetrics(s.Log)
		in, err := ingest.New(ingest.Config{Log: archive.Through(l), Keys: keys, Open: s.EventsOpen, Policy: policy, Observe: m.observeIngest(), Logger: log})
		if err != nil {
			return nil, err
		}
		g.run("ingest", in.Run)
		r, err := listenRequests(ctx, nc, s.Log, in)
		if err != nil {
			return nil, err
		}
		web.run("requests", r.run)
		mux := http.NewServeMux()
		mux.Handle("/", in.ServiceHandler())
		for pattern, h := range toolkitWriting(s.Log, in, nil) {
			mux.Handle(pattern, h)
		}
		return m.instrument(mux), nil
	})
}
