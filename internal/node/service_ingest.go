package node

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/vitals"
)

// IngestService accepts events over HTTP and writes them to EVENTS.
type IngestService struct {
	ServiceConfig
	settings.MemoryFlags
	HTTP       string
	Key        string
	EventsOpen bool

	WitnessPolicy string
}

// Serve implements Service.
func (s *IngestService) Serve(ctx context.Context) error {
	face, keys, err := s.check(s.HTTP, s.Key)
	if err != nil {
		return err
	}
	if s.EventsOpen && s.Access != "" {
		return fmt.Errorf("%w: --events-open does not go with --access", settings.ErrInvalid)
	}
	policy, err := readPolicy(s.WitnessPolicy, keys...)
	if err != nil {
		return err
	}
	return s.serve(ctx, service{
		name: "ingest", face: face, keys: keys, writes: true,
		vitals: &vitals.Config{MayRead: true, Remedy: remedyService},
		typed:  true,
		paths:  "sealstream ingest: POST /v1/events, GET /healthz, GET /readyz",
		assemble: func(_ context.Context, p *process, nc *nats.Conn) error {
			cfg := ingestConfig{limits: s.MemoryFlags, open: s.EventsOpen, policy: policy}
			if err := p.addIngest(cfg); err != nil {
				return err
			}
			p.addRequests(nc)
			return nil
		},
	})
}
