package node

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

	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// MigrateConfig moves the log of a data directory onto a NATS server or cluster.
type MigrateConfig struct {
	From     string      // data directory of a stopped log
	To       ConnFlags   // the target, as its administrator
	Streams  StreamFlags // sizes and placement there
	Replicas int         // 0: 1
	Keys     string      // folder that the sealer's keys are copied to; "": they are not
	State    string      // folder for the sealer's mark; "": that of the keys
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

// Migrate copies SEALED, PAYLOADS and ALERTS by JetStream's own snapshots, which keep sequences, times and bytes, and what the buckets hold; it audits the
// copy, which must have the source's size and root. EVENTS begins anew: all that it held must be sealed, and the sealer goes on in a new input epoch, which it
// seals. The directory is only read, and stays as it was. A call that was cut off is made again: what has arrived whole is not copied twice. One that was
// finished is refused the second time, as the log has gone on.
// Nothing may write to the log at the target meanwhile.
func Migrate(ctx context.Context, cfg MigrateConfig) (proof.Report, error) {
	unlock, err := lockForReading(cfg.From)
	if err != nil {
		return proof.Report{}, err
	}
	defer unlock()
	keys, err := LoadKeys(filepath.Join(cfg.From, fileKey), filepath.Join(cfg.From, fileSecret))
	if err != nil {
		return proof.Report{}, err
	}
	var known proof.AuditConfig
	if _, err := knownCheckpoints(cfg.From, &known); err != nil {
		return proof.Report{}, err
	}
	nc, name, done, err := copyServer(ctx, cfg.From)
	if err != nil {
		return proof.Report{}, err
	}
	defer done()
	from, err := natsstore.Open(ctx, nc, streams.Config{Log: name})
	if err != nil {
		return proof.Report{}, err
	}
	source, err := sealedWhole(ctx, from, known)
	if err != nil {
		return source, err
	}
	target, err := cfg.To.Reach(RoleAdmin).Connect("sealstream migrate", slog.New(slog.DiscardHandler))
	if err != nil {
		return source, err
	}
	defer target.Close()
	m, err := newMover(nc, target, cfg.Streams.config(name, cfg.Replicas))
	if err != nil {
		return source, err
	}
	if err := m.run(ctx); err != nil {
		return source, err
	}
	to, err := natsstore.Open(ctx, target, streams.Config{Log: name})
	if err != nil {
		return source, err
	}
	arrived, err := store.Audit(ctx, archive.Through(to), known)
	if err != nil {
		return arrived, fmt.Errorf("audit of the target: %w", err)
	}
	if arrived.Size != source.Size || arrived.Root != source.Root {
		return arrived, fmt.Errorf("%w: %d entries with root %x arrived, not %d with %x", ErrOccupied, arrived.Size, arrived.Root, source.Size, source.Root)
	}
	if err := cfg.copyKeys(); err != nil {
		return arrived, err
	}
	sc := sealer.Config{Log: archive.Through(to), Signer: keys.Signer, Keys: keys.Former, Secret: keys.Secret, Mark: cfg.mark(), Logger: slog.New(slog.DiscardHandler)}
	return arrived, sealEpoch(ctx, sc, arrived.Size)
}

// sealEpoch opens the new input epoch and seals it, before any event can come: an ingest that saw the old epoch's end would take a sequence of the new
// EVENTS for the old one's.
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
	s, err := sealer.New(sc)
	if err != nil {
		return err
	}
	g := newGroup(ctx)
	defer g.stop()
	g.run("sealer", s.Run)
	for s.Status().Size <= size {
		select {
		case <-g.ctx.Done():
			return context.Cause(g.ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// mark is where the sealer's newest checkpoint is; "": nowhere.
func (cfg MigrateConfig) mark() string {
	if cfg.Keys == "" {
		return ""
	}
	return filepath.Join(cmp.Or(cfg.State, cfg.Keys), fileMark)
}

// sealedWhole audits the source, and sees to it that EVENTS holds nothing that is not sealed.
func sealedWhole(ctx context.Context, log *store.Log, cfg proof.AuditConfig) (proof.Report, error) {
	r, err := store.Audit(ctx, archive.Through(log), cfg)
	if err != nil {
		return r, fmt.Errorf("audit of the directory: %w", err)
	}
	last, err := log.Sealed.Last(ctx, streams.SealedSubject(log.Name))
	if err != nil {
		return r, fmt.Errorf("end of the log: %w", err)
	}
	b, err := proof.ParseBatch(last)
	if err != nil {
		return r, fmt.Errorf("end of the log: %w", err)
	}
	info, err := log.Events.Info(ctx)
	if err != nil {
		return r, err
	}
	if b.Input.Seq != info.Last || b.Input.Place != proof.PlaceEnd {
		return r, fmt.Errorf("%w: sealed is up to EVENTS sequence %d of %d; run `sealstream up` on the directory, and stop it when it has caught up", ErrNotSealed, b.Input.Seq, info.Last)
	}
	return r, nil
}

// copyKeys gives the sealer what it must have where it will run.
func (cfg MigrateConfig) copyKeys() error {
	if cfg.Keys == "" {
		return nil
	}
	state := cmp.Or(cfg.State, cfg.Keys)
	for _, f := range []struct {
		name, dir string
		mode      os.FileMode
	}{{fileSecret, cfg.Keys, 0o600}, {filePublic, cfg.Keys, 0o644}, {fileKey, cfg.Keys, 0o600}, {fileMark, state, 0o600}} {
		b, err := os.ReadFile(filepath.Join(cfg.From, f.name))
		if errors.Is(err, fs.ErrNotExist) && f.name == fileMark {
			continue
		} else if err != nil {
			return err
		}
		if err := os.MkdirAll(f.dir, 0o700); err != nil {
			return err
		}
		path := filepath.Join(f.dir, f.name)
		if old, err := os.ReadFile(path); err == nil && string(old) != string(b) && f.name != fileMark {
			return fmt.Errorf("%w: %s is another key", ErrKeys, path)
		}
		if err := WriteFile(path, b, f.mode); err != nil {
			return err
		}
	}
	return nil
}
