package datadir

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/store"
)

// openArchive opens the archive of the log in a data directory that no process has, on a copy. done
// removes that.
func openArchive(ctx context.Context, dir string, keys []string) (log *store.Log, done func(), err error) {
	unlock, err := LockForReading(dir)
	if err != nil {
		return nil, nil, err
	}
	log, remove, err := openCopy(ctx, dir, keys)
	if err != nil {
		unlock()
		return nil, nil, err
	}
	done = func() { remove(); unlock() }
	if log.Archive == nil {
		done()
		return nil, nil, fmt.Errorf("%s: %w: it has no archive", dir, ErrFormat)
	}
	return log, done, nil
}

// ListArchiveDir lists the archive in a data directory that no process has.
func ListArchiveDir(ctx context.Context, dir string) (archive.Listing, error) {
	log, done, err := openArchive(ctx, dir, nil)
	if err != nil {
		return archive.Listing{}, err
	}
	defer done()
	return archive.New(log).List(ctx)
}

// VerifyArchiveDir checks the archive in a data directory that no process has, and the log with it,
// as AuditDir does.
func VerifyArchiveDir(ctx context.Context, dir string, cfg audit.Config) (archive.Verdict, error) {
	_, err := KnownCheckpoints(dir, &cfg)
	if m, ok := errors.AsType[*audit.MismatchError](err); ok {
		return archive.VerdictOf(archive.Report{}, m)
	} else if err != nil {
		return archive.Verdict{}, err
	}
	log, done, err := openArchive(ctx, dir, cfg.Keys)
	if err != nil {
		return archive.Verdict{}, err
	}
	defer done()
	return archive.VerdictOf(archive.Verify(ctx, log, cfg))
}
