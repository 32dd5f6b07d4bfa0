package node

import (
	"context"
	"os"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/vitals"
)

// ArchiverService writes full segments of a log into the ARCHIVE bucket, and is the only one that
// may trim SEALED. One is enough; two do no harm.
type ArchiverService struct {
	ServiceConfig
	settings.DiskFlags
	Key        string
	TrimSealed uint64
	Metrics    string
}

// Serve implements Service.
func (s *ArchiverService) Serve(ctx context.Context) error {
	keys, err := s.publicKeys(s.Key)
	if err != nil {
		return err
	}
	face, err := s.sideFace(s.Metrics)
	if err != nil {
		return err
	}
	return s.serve(ctx, service{
		name: "archiver", face: face, keys: keys, vitals: &vitals.Config{Remedy: remedyService},
		paths: "the archiver: GET /metrics, GET /healthz, GET /readyz, GET /v1/archive, GET /v1/archive/verify",
		assemble: func(_ context.Context, p *process, _ *nats.Conn) error {
			if s.Metrics != "" {
				p.addDisk(s.DiskFlags, disk.Folder{Path: os.TempDir()}) // segments are made there
			}
			return p.addArchive(&archiverConfig{trimSealed: s.TrimSealed})
		},
	})
}
