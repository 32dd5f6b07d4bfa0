package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/streams"
)

// ArchiverService writes full segments of a log into the ARCHIVE bucket, and is the only one that may trim SEALED. One is enough; two do no harm.
type ArchiverService struct {
	ServiceFlags
	Key        string `help:"File with the log's public key." default:"log.pub" type:"path" placeholder:"FILE"`
	TrimSealed uint64 `help:"Trim SEALED and PAYLOADS behind the archive, but for this many newest entries; 0: keep them whole." env:"SEALSTREAM_TRIM_SEALED" placeholder:"N"`
}

// Serve implements Service.
func (s *ArchiverService) Serve(ctx context.Context) error {
	key, err := readPublicKey(s.Key)
	if err != nil {
		return err
	}
	if err := s.checkLog(key); err != nil {
		return err
	}
	log := s.logger()
	return s.serve(ctx, "archiver", "", func(nc *nats.Conn, g *group) (http.Handler, error) {
		l, err := awaitLog(ctx, nc, streams.Config{Log: s.Log, Replicas: s.Replicas}, log)
		if err != nil {
			return nil, err
		}
		x, err := archive.NewArchiver(archive.Config{Archive: archive.New(l), Keys: []string{key}, TrimSealed: s.TrimSealed, Logger: log})
		if err != nil {
			return nil, err
		}
		g.run("archiver", x.Run)
		return nil, nil
	})
}

// archiveRoutes are the paths of an archive; x is nil where no archiver runs.
func archiveRoutes(log string, a *archive.Archive, keys []string, x *archive.Archiver) map[string]http.Handler {
	h := strict(log, a.Handler(keys, x))
	return map[string]http.Handler{"GET /v1/archive": h, "GET /v1/archive/verify": h}
}

// openArchive opens the archive of the log in a data directory that no process has, on a copy. done removes that.
func openArchive(ctx context.Context, dir string) (log *store.Log, done func(), err error) {
	unlock, err := lockForReading(dir)
	if err != nil {
		return nil, nil, err
	}
	log, remove, err := openCopy(ctx, dir)
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
	log, done, err := openArchive(ctx, dir)
	if err != nil {
		return archive.Listing{}, err
	}
	defer done()
	return archive.New(log).List(ctx)
}

// VerifyArchiveDir checks the archive in a data directory that no process has, and the log with it, as AuditDir does.
func VerifyArchiveDir(ctx context.Context, dir string, cfg proof.AuditConfig) (archive.Verdict, error) {
	_, err := knownCheckpoints(dir, &cfg)
	if m, ok := errors.AsType[*proof.MismatchError](err); ok {
		return archive.VerdictOf(archive.Report{}, m)
	} else if err != nil {
		return archive.Verdict{}, err
	}
	log, done, err := openArchive(ctx, dir)
	if err != nil {
		return archive.Verdict{}, err
	}
	defer done()
	return archive.VerdictOf(archive.Verify(ctx, log, cfg))
}
