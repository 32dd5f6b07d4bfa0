package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/streams"
	"github.com/sealstream/sealstream/streams/subject"
)

// Config moves the log of a data directory onto a NATS server or cluster.
type Config struct {
	From     string              // data directory of a stopped log
	To       natsconn.ConnFlags  // the target, as its administrator
	Streams  cluster.StreamFlags // sizes and placement there
	Replicas int                 // 0: 1
	Keys     string              // folder that the sealer's keys are copied to; "": they are not
	State    string              // folder for the sealer's mark; "": that of the keys
}

// What a move can be refused for. Nothing was changed then.
var (
	// ErrNotSealed: the directory holds events that are not sealed yet.
	ErrNotSealed = errors.New("events are not sealed yet")
	// ErrOccupied: the target holds another log, or one that has gone on.
	ErrOccupied = errors.New("the target holds other messages")
)

// migrationReason is sealed with the new input epoch.
const migrationReason = "the log was moved to another NATS server; all events before were sealed"

// Run moves the log, and returns the audit of the copy.
//
// It copies SEALED, PAYLOADS and ALERTS by JetStream's own snapshots, which keep sequences, times
// and bytes, and then the contents of the buckets. It audits the copy, which must have the source's
// size and root. EVENTS starts empty at the target: all of its messages must be sealed, and the
// sealer continues in a new input epoch, which it seals.
//
// The directory is only read. If a call was interrupted, call again: a stream that arrived whole is
// not copied twice. A second call after a finished one is refused, because the log has grown.
// Nothing may write to the log at the target meanwhile.
func Run(ctx context.Context, cfg Config) (audit.Report, error) {
	unlock, err := datadir.LockForReading(cfg.From)
	if err != nil {
		return audit.Report{}, err
	}
	defer unlock()
	keys, err := datadir.LoadKeys(filepath.Join(cfg.From, datadir.FileKey), filepath.Join(cfg.From, datadir.FileSecret))
	if err != nil {
		return audit.Report{}, err
	}
	var known audit.Config
	if _, err := datadir.KnownCheckpoints(cfg.From, &known); err != nil {
		return audit.Report{}, err
	}
	c, err := datadir.OpenCopy(ctx, cfg.From, known.Keys)
	if err != nil {
		return audit.Report{}, err
	}
	defer c.Close()
	from, err := natsstore.Open(ctx, c.Conn, streams.Config{Log: c.Log})
	if err != nil {
		return audit.Report{}, err
	}
	source, err := sealedWhole(ctx, from, known)
	if err != nil {
		return source, err
	}
	target, err := cfg.To.Reach(cluster.RoleAdmin).Connect("sealstream migrate", slog.New(slog.DiscardHandler))
	if err != nil {
		return source, err
	}
	defer target.Close()
	m, err := newMover(c.Conn, target, cfg.Streams.Config(c.Log, cfg.Replicas))
	if err != nil {
		return source, err
	}
	to, arrived, err := m.copyLog(ctx, source, known)
	if err != nil {
		return arrived, err
	}
	if err := cfg.copyKeys(); err != nil {
		return arrived, err
	}
	return arrived, sealEpoch(ctx, sealer.Config{
		Log:    archive.Through(to),
		Signer: keys.Signer,
		Keys:   keys.Former,
		Secret: keys.Secret,
		Mark:   cfg.mark(),
		Logger: slog.New(slog.DiscardHandler),
	}, arrived.Size)
}

// copyLog copies the log to the target, and returns it there with its audit, which must give what
// the source has.
func (m *mover) copyLog(
	ctx context.Context,
	source audit.Report,
	known audit.Config,
) (*store.Log, audit.Report, error) {
	if err := m.run(ctx); err != nil {
		return nil, source, err
	}
	to, err := natsstore.Open(ctx, m.toNC, streams.Config{Log: m.cfg.Log})
	if err != nil {
		return nil, source, err
	}
	arrived, err := store.Audit(ctx, archive.Through(to), known)
	if err != nil {
		return nil, arrived, fmt.Errorf("audit of the target: %w", err)
	}
	if arrived.Size != source.Size || arrived.Root != source.Root {
		return nil, arrived, fmt.Errorf("%w: %d entries with root %s arrived, not %d with %s",
			ErrOccupied, arrived.Size, arrived.Root, source.Size, source.Root)
	}
	return to, arrived, nil
}

// sealEpoch opens the new input epoch and seals it, before any event can come: an ingest that saw
// the old epoch's end would take a sequence of the new EVENTS for the old one's.
func sealEpoch(ctx context.Context, sc sealer.Config, size uint64) error {
	info, err := sc.Log.Events.Info(ctx)
	if err != nil {
		return err
	}
	if info.Last == 0 { // else a call that was cut off has opened it
		if _, err := sealer.OpenEpoch(ctx, sc, migrationReason); err != nil {
			return err
		}
	}
	return sealUntil(ctx, sc, func(s *sealer.Sealer) bool { return s.Status().Size > size })
}

// sealUntil runs a sealer until done returns true.
func sealUntil(ctx context.Context, sc sealer.Config, done func(*sealer.Sealer) bool) error {
	s, err := sealer.New(sc)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	g, running := errgroup.WithContext(running)
	g.Go(func() error {
		if err := s.Run(running); err != nil {
			return fmt.Errorf("sealer: %w", err)
		}
		return nil
	})
	for !done(s) {
		select {
		case <-running.Done():
			stop()
			return cmp.Or(g.Wait(), ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	stop()
	return g.Wait()
}

// mark is where the sealer's newest checkpoint is; "": nowhere.
func (cfg Config) mark() string {
	if cfg.Keys == "" {
		return ""
	}
	return filepath.Join(cmp.Or(cfg.State, cfg.Keys), datadir.FileMark)
}

// sealedWhole audits the source, and sees to it that EVENTS holds nothing that is not sealed.
func sealedWhole(ctx context.Context, log *store.Log, cfg audit.Config) (audit.Report, error) {
	r, err := store.Audit(ctx, archive.Through(log), cfg)
	if err != nil {
		return r, fmt.Errorf("audit of the directory: %w", err)
	}
	last, err := log.Sealed.Last(ctx, subject.Sealed(log.Name))
	if err != nil {
		return r, fmt.Errorf("end of the log: %w", err)
	}
	b, err := sealedlog.ParseBatch(last)
	if err != nil {
		return r, fmt.Errorf("end of the log: %w", err)
	}
	info, err := log.Events.Info(ctx)
	if err != nil {
		return r, err
	}
	if b.Input.Seq != info.Last || b.Input.Place != sealedlog.PlaceEnd {
		return r, fmt.Errorf(
			"%w: sealed is up to EVENTS sequence %d of %d; run `sealstream up` on the directory, and stop it when it has "+
				"caught up",
			ErrNotSealed,
			b.Input.Seq,
			info.Last,
		)
	}
	return r, nil
}

// copyKeys gives the sealer what it must have where it will run.
func (cfg Config) copyKeys() error {
	if cfg.Keys == "" {
		return nil
	}
	state := cmp.Or(cfg.State, cfg.Keys)
	for _, f := range []struct {
		name, dir string
		mode      os.FileMode
	}{
		{datadir.FileSecret, cfg.Keys, 0o600}, {datadir.FilePublic, cfg.Keys, 0o644}, {datadir.FileKey, cfg.Keys, 0o600},
		{datadir.FileMark, state, 0o600},
	} {
		b, err := os.ReadFile(filepath.Join(cfg.From, f.name))
		if errors.Is(err, fs.ErrNotExist) && f.name == datadir.FileMark {
			continue
		} else if err != nil {
			return err
		}
		if err := os.MkdirAll(f.dir, 0o700); err != nil {
			return err
		}
		path := filepath.Join(f.dir, f.name)
		if old, err := os.ReadFile(path); err == nil && string(old) != string(b) && f.name != datadir.FileMark {
			return fmt.Errorf("%w: %s is another key", datadir.ErrKeys, path)
		}
		if err := datadir.WriteFile(path, b, f.mode); err != nil {
			return err
		}
	}
	return nil
}
