package node

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/vitals"
)

// SinkService writes a log into sinks. A sink that keeps its own cursor may have one writer alone,
// and says so; the others may have several, and get entries from each.
type SinkService struct {
	ServiceConfig
	settings.DiskFlags
	Sink []string
	Key  string
	HTTP string
}

// Serve implements Service.
func (s *SinkService) Serve(ctx context.Context) error {
	keys, err := s.publicKeys(s.Key)
	if err != nil {
		return err
	}
	face, err := s.sideFace(s.HTTP)
	if err != nil {
		return err
	}
	specs, err := readSinks(s.Sink, s.Schemes, s.logger())
	if err != nil {
		return err
	}
	if len(specs) == 0 {
		return fmt.Errorf("%w: no --sink is given", settings.ErrInvalid)
	}
	var watched *vitals.Config
	if s.HTTP != "" { // else nobody would see it
		watched = &vitals.Config{Remedy: remedyService}
	}
	return s.serve(ctx, service{
		name: "sink", face: face, keys: keys, vitals: watched,
		paths: "the sink: GET /metrics, GET /healthz, GET /readyz",
		assemble: func(_ context.Context, p *process, _ *nats.Conn) error {
			if s.HTTP != "" {
				p.addDisk(s.DiskFlags, sinkFolders(specs)...)
			}
			return p.addSinks(specs, true)
		},
	})
}
