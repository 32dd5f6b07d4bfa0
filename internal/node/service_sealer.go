package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/vitals"
	"github.com/sealstream/sealstream/streams"
)

// SealerService is the one writer of a log.
type SealerService struct {
	ServiceConfig
	cluster.StreamFlags
	settings.DiskFlags
	Keys         string
	State        string
	StreamsExist bool
	EventsOpen   bool
	Close        bool // the log takes no events of any source any more
	OpenEpoch    string
	Metrics      string
	Holder       string
	Redaction    string
	Rules        uint64 // sealing rules of a new log; 0: ruleset.Newest

	WitnessPolicy string
}

// Serve implements Service. The sealer makes the log if there is none; the other services wait for
// it.
func (s *SealerService) Serve(ctx context.Context) error {
	key := filepath.Join(s.Keys, datadir.FileKey)
	if _, err := os.Stat(key); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: --keys: there is no file %s; give the folder that `sealstream keygen` has written",
			settings.ErrInvalid, key)
	}
	keys, err := datadir.LoadKeys(key, filepath.Join(s.Keys, datadir.FileSecret))
	if err != nil {
		return err
	}
	if err := s.checkSettings(keys); err != nil {
		return err
	}
	face, err := s.sideFace(s.Metrics)
	if err != nil {
		return err
	}
	policy, err := readPolicy(s.WitnessPolicy, keys.All()...)
	if err != nil {
		return err
	}
	redaction, err := s.readRedaction(s.Redaction)
	if err != nil {
		return err
	}
	return s.serve(ctx, service{
		name: "sealer", face: face, keys: keys.All(), writes: true,
		vitals: &vitals.Config{MayRead: true, Remedy: remedyService, Stated: s.streams()},
		paths:  "the sealer: GET /metrics, GET /healthz, GET /readyz",
		open: func(ctx context.Context, nc *nats.Conn) (*store.Log, error) {
			return natsconn.WaitForAnswer(ctx, s.logger(), func() (*store.Log, error) { return s.open(ctx, nc) })
		},
		assemble: func(ctx context.Context, p *process, _ *nats.Conn) error {
			if err := p.addSealer(ctx, sealerConfig{
				keys: keys, mark: s.mark(), snapshot: s.snapshot(), await: true, eventsOpen: s.EventsOpen,
				closes: s.Close, openEpoch: s.OpenEpoch,
				redaction: redaction, rules: s.Rules, holder: s.Holder,
			}); err != nil {
				return err
			}
			if s.Metrics != "" {
				p.addDisk(s.DiskFlags, disk.Folder{Path: filepath.Dir(s.mark())})
			}
			return p.addWitnesses(policy)
		},
	})
}

// checkSettings looks at the settings before anything is touched, and makes the folder of the
// state.
func (s *SealerService) checkSettings(keys datadir.Keys) error {
	if err := s.checkLog(keys.Signer.VerifierKey()); err != nil {
		return err
	}
	if s.EventsOpen && (s.Close || s.Access != "") {
		return fmt.Errorf("%w: --events-open does not go with --access or --close-events-open", settings.ErrInvalid)
	}
	if s.State != "" {
		if err := os.MkdirAll(s.State, 0o700); err != nil {
			return fmt.Errorf("%w: state: %w", settings.ErrInvalid, err)
		}
	}
	return nil
}

// streams is the configuration of the streams that the settings state.
func (s *SealerService) streams() streams.Config { return s.StreamFlags.Config(s.Log, s.Replicas) }

// open makes the streams, or waits until they are there.
func (s *SealerService) open(ctx context.Context, nc *nats.Conn) (*store.Log, error) {
	if s.StreamsExist {
		return openApplied(ctx, nc, s.streams(), s.logger())
	}
	return openLog(ctx, nc, s.streams())
}

// mark is the file of the newest checkpoint. It must outlive the process.
func (s *SealerService) mark() string { return filepath.Join(s.state(), datadir.FileMark) }

// snapshot is the folder of the sealer's snapshot. It may be lost.
func (s *SealerService) snapshot() string { return filepath.Join(s.state(), datadir.DirSnapshot) }

// state is the folder of the sealer's own files: without a setting, the one of the keys.
func (s *SealerService) state() string { return cmp.Or(s.State, s.Keys) }
