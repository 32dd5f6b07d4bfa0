package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
)

// AuditDir audits the log in a data directory that no process has. Opening a store writes to it, so
// all is done on a copy in a temporary folder; the original is only read. cfg.Keys may be empty:
// then the directory's own log.pub is taken, which says whose log it claims to be. The checkpoint
// that the directory keeps is added to the known ones; own says whether there was one.
func AuditDir(ctx context.Context, dir string, cfg audit.Config) (r audit.Report, own bool, err error) {
	unlock, err := LockForReading(dir)
	if err != nil {
		return audit.Report{}, false, err
	}
	defer unlock()
	if own, err = KnownCheckpoints(dir, &cfg); err != nil {
		return audit.Report{}, false, err
	}
	c, err := OpenCopy(ctx, dir, cfg.Keys)
	if err != nil {
		return audit.Report{}, own, err
	}
	defer c.Close()
	log, err := c.OpenLog(ctx)
	if err != nil {
		return audit.Report{}, own, err
	}
	notes, err := c.notes(ctx, dir)
	if err != nil {
		return audit.Report{}, own, err
	}
	cosigned, note := cosignedCheckpoint(ctx, log, &cfg)
	notes = append(notes, append(note, headCheckpoint(ctx, log, &cfg)...)...)
	r, err = store.Audit(ctx, archive.Through(log), cfg)
	r.Cosigned, r.Notes = cosigned, notes
	return r, own, err
}

// LockForReading takes the lock of a data directory that no process has.
func LockForReading(dir string) (unlock func(), err error) {
	if err := Check(dir); err != nil {
		return nil, err
	}
	lock, err := lockShared(dir)
	switch {
	case errors.Is(err, ErrLocked):
		return nil, fmt.Errorf("%s: %w; stop it, or verify it by its URL", dir, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return func() { lock.Close() }, nil
}

// KnownCheckpoints reads the directory's key, if none is given, and the checkpoint that it keeps.
func KnownCheckpoints(dir string, cfg *audit.Config) (own bool, err error) {
	keys, err := PublicKeys(dir)
	if bad := slices.IndexFunc(keys, func(k string) bool { return proof.CheckKey(k) != nil }); err == nil &&
		(len(keys) == 0 || bad >= 0) {
		keys, err = nil, fmt.Errorf("%s holds no public key", filepath.Join(dir, FilePublic))
	}
	if len(cfg.Keys) == 0 {
		if err != nil {
			return false, fmt.Errorf("%w: %w; give the log's key", ErrKeys, err)
		}
		cfg.Keys = keys
	}
	signed, err := os.ReadFile(filepath.Join(dir, FileMark))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	// The log may have handed its key on since the caller's: what the directory itself says of that
	// can only make the audit stricter.
	cp, err := proof.OpenCheckpoint(signed, append(keys, cfg.Keys...)...)
	if err != nil {
		return false, &audit.MismatchError{
			What: "signature",
			Why:  fmt.Sprintf("the checkpoint file of the directory: %v", err),
		}
	}
	cfg.Known = append(cfg.Known, cp)
	return true, nil
}

// cosignedCheckpoint reads what witnesses have cosigned, and adds it to the known checkpoints: they
// have seen it. One that cannot be used is no fault of the log, whose cache it stands in.
func cosignedCheckpoint(ctx context.Context, log *store.Log, cfg *audit.Config) (cosigned []byte, notes []string) {
	cp, err := store.Cosigned(ctx, log, cfg.Keys...)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, []string{fmt.Sprintf("the cosigned checkpoint in HEAD cannot be used: %v", err)}
	}
	cfg.Known = append(cfg.Known, cp)
	return cp.Note, nil
}

// headCheckpoint reads the cache of the newest checkpoint, and adds it to the known ones: what the
// log's key has signed must be in the log. It may be behind, as it is written after the log.
func headCheckpoint(ctx context.Context, log *store.Log, cfg *audit.Config) (notes []string) {
	note, _, err := log.Head.Get(ctx, log.Name)
	if err != nil {
		return []string{fmt.Sprintf("the checkpoint in HEAD cannot be read: %v", err)}
	}
	cp, err := proof.OpenCheckpoint(note, cfg.Keys...)
	if err != nil {
		return []string{fmt.Sprintf("the checkpoint in HEAD cannot be used: %v", err)}
	}
	cfg.Known = append(cfg.Known, cp)
	return nil
}
