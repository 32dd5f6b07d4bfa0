package node

import (
	"context"
	"errors"
	"net/http"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/query"
)

// archiverConfig configures the archiver of a process.
type archiverConfig struct {
	trimSealed    uint64 // newest entries that stay in SEALED and PAYLOADS; 0: all
	segmentLeaves uint64 // 0: archive.SegmentLeaves; others are for tests
}

// addArchive adds the routes of the archive and, unless cfg is nil, the archiver that writes it.
func (p *process) addArchive(cfg *archiverConfig) error {
	x := part{name: "archiver"}
	if cfg != nil {
		a, err := archive.NewArchiver(archive.Config{
			Archive: p.archive, Keys: p.keys, TrimSealed: cfg.trimSealed, SegmentLeaves: cfg.segmentLeaves,
			Indexer: query.NewIndexer(p.log.Name), Logger: p.logger,
		})
		if err != nil {
			return err
		}
		p.archiver = a
		x.run, x.followers = a.Run, []health.Follower{archiveFollower(a)}
		x.ready = func(context.Context) (map[string]any, error) {
			status := a.Status()
			return map[string]any{"tree_size": status.Size, "segments": status.Segments}, status.Err
		}
	}
	h := httpapi.ForLog(p.log.Name, p.archive.Handler(p.keys, p.archiver))
	x.routes = map[string]http.Handler{"GET /v1/archive": h, "GET /v1/archive/verify": h}
	p.add(x)
	return nil
}

// archiveFollower is the archiver. What no full segment holds counts as its lag.
func archiveFollower(x *archive.Archiver) health.Follower {
	return health.Follower{Name: "archive", Look: func() health.FollowerState {
		s := x.Status()
		m, bad := errors.AsType[*audit.MismatchError](s.Err)
		bad = bad && m.What != "payload" // which is no reason to turn anybody away: the leaves verify
		_, damaged := errors.AsType[*archive.DamagedError](s.Err)
		return health.FollowerState{
			Size:   s.Size,
			Err:    s.Err,
			Bad:    bad && !damaged,
			Counts: map[string]uint64{"void": uint64(len(s.Void)), "segments": s.Segments},
		}
	}}
}
