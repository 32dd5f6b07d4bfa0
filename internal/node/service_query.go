package node

import (
	"context"
	"path/filepath"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/vitals"
)

// QueryService answers filters and makes proofs.
type QueryService struct {
	ServiceConfig
	settings.DiskFlags
	settings.MemoryFlags
	HTTP  string
	Key   string
	Index string
}

// Serve implements Service.
func (s *QueryService) Serve(ctx context.Context) error {
	face, keys, err := s.check(s.HTTP, s.Key)
	if err != nil {
		return err
	}
	return s.serve(ctx, service{
		name: "query", face: face, keys: keys, vitals: &vitals.Config{Remedy: remedyService},
		assemble: func(_ context.Context, p *process, _ *nats.Conn) error {
			room := p.addDisk(s.DiskFlags, disk.Folder{Path: s.folder()})
			if err := p.addQuery(queryConfig{folder: s.folder(), room: room, limits: s.MemoryFlags}); err != nil {
				return err
			}
			return p.addArchive(nil)
		},
	})
}

// folder is the log's own folder of the index.
func (s *QueryService) folder() string {
	if s.Index == "" {
		return ""
	}
	return filepath.Join(s.Index, s.Log)
}
