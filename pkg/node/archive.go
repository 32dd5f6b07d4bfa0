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
	Metrics    string `help:"Where /metrics, /healthz, /readyz and /v1/archive are; empty: nowhere." default:"127.0.0.1:9465" env:"SEALSTREAM_METRICS" placeholder:"ADDR"`
}

// Serve implements Service.
func (s *ArchiverService) Serve(ctx context.Context) error {
	keys, err := s.publicKeys(s.Key)
	if err != nil {
		return err
	}
	if s.Metrics != "" {
		if err := checkAddr(s.Metrics, s.Expose); err != nil {
			return err
		}
	}
	log, m := s.logger(), newMetrics(s.Log)
	return s.serve(ctx, "archiver", s.Metrics, func(nc *nats.Conn, g, _ *group) (http.Handler, error) {
		l, err := awaitLog(ctx, nc, streams.Config{Log: s.Log, Replicas: s.Replicas}, log)
		if err != nil {
			return nil, err
		}
		a := archive.New(l)
		x, err := archive.NewArchiver(archive.Config{Archive: a, Keys: keys, TrimSealed: s.TrimSealed, Logger: log})
		if err != nil {
			return nil, err
		}
		g.run("archiver", x.Run)
		if s.Metrics == "" {
			return nil, nil
		}
		m.watchFollowers(func() []follower { return []follower{archiveFollower(x)} }, sealedSize(l, func() uint64 { return x.Status().Size }))
		return m.instrument(archiverHandler(s.Log, x, archiveRoutes(s.Log, a, keys, x))), nil
	})
}

// archiverHandler says how an archiver that stands alone fares: it is ready while it has no trouble.
func archiverHandler(log string, x *archive.Archiver, routes map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.Handle(pattern, h)
	}
	mux.Handle("GET /healthz", strict(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
	})))
	mux.Handle("GET /readyz", strict(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := x.Status()
		if status.Err != nil {
			problem(w, http.StatusServiceUnavailable, status.Err.Error())
			return
		}
		answer(w, http.StatusOK, "application/json", map[string]any{"status": "ready", "tree_size": status.Size, "segments": status.Segments})
	})))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "this is the archiver: GET /metrics, GET /healthz, GET /readyz, GET /v1/archive, GET /v1/archive/verify")
	})
	return mux
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
