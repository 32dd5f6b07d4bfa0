package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/internal/natsd"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// AuditDir audits the log in a data directory that no process has. Opening a store writes to it, so all is done on a copy in a
// temporary folder; the original is only read. cfg.Keys may be empty: then the directory's own log.pub is taken, which says whose log
// it claims to be. The checkpoint that the directory keeps is added to the known ones; own says
// whether there was one.
func AuditDir(ctx context.Context, dir string, cfg proof.AuditConfig) (r proof.Report, own bool, err error) {
	unlock, err := lockForReading(dir)
	if err != nil {
		return proof.Report{}, false, err
	}
	defer unlock()
	if own, err = knownCheckpoints(dir, &cfg); err != nil {
		return proof.Report{}, false, err
	}
	log, done, err := openCopy(ctx, dir)
	if err != nil {
		return proof.Report{}, own, err
	}
	defer done()
	cosigned, err := cosignedCheckpoint(ctx, log, &cfg)
	if err != nil {
		return proof.Report{}, own, err
	}
	r, err = store.Audit(ctx, archive.Through(log), cfg)
	r.Cosigned = cosigned
	return r, own, err
}

// lockForReading takes the lock of a data directory that no process has, where there is one to take.
func lockForReading(dir string) (unlock func(), err error) {
	if err := CheckDir(dir); err != nil {
		return nil, err
	}
	lock, err := lockExisting(filepath.Join(dir, fileLock))
	switch {
	case errors.Is(err, ErrLocked):
		return nil, fmt.Errorf("%s: %w; stop it, or verify it by its URL", dir, err)
	case errors.Is(err, fs.ErrNotExist):
		return func() {}, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return func() { lock.Close() }, nil
}

// knownCheckpoints reads the directory's key, if none is given, and the checkpoint that it keeps.
func knownCheckpoints(dir string, cfg *proof.AuditConfig) (own bool, err error) {
	keys, err := PublicKeys(dir)
	if len(cfg.Keys) == 0 {
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrKeys, err)
		}
		cfg.Keys = keys
	}
	signed, err := os.ReadFile(filepath.Join(dir, fileMark))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	// The log may have handed its key on since the caller's: what the directory itself says of that can only make the audit stricter.
	cp, err := proof.OpenCheckpoint(signed, append(keys, cfg.Keys...)...)
	if err != nil {
		return false, &proof.MismatchError{What: "signature", Why: fmt.Sprintf("the checkpoint file of the directory: %v", err)}
	}
	cfg.Known = append(cfg.Known, cp)
	return true, nil
}

// cosignedCheckpoint reads what witnesses have cosigned, and adds it to the known checkpoints: they have seen it.
func cosignedCheckpoint(ctx context.Context, log *store.Log, cfg *proof.AuditConfig) ([]byte, error) {
	cp, err := store.Cosigned(ctx, log, cfg.Keys...)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case errors.Is(err, proof.ErrCheckpoint):
		return nil, &proof.MismatchError{What: "signature", Why: fmt.Sprintf("the cosigned checkpoint in HEAD: %v", err)}
	case err != nil:
		return nil, err
	}
	cfg.Known = append(cfg.Known, cp)
	return cp.Note, nil
}

// openCopy copies the streams of a data directory and opens the copy in a server that listens nowhere.
func openCopy(ctx context.Context, dir string) (*store.Log, func(), error) {
	nc, name, done, err := copyServer(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	log, err := natsstore.Open(ctx, nc, streams.Config{Log: name})
	if err != nil {
		done()
		return nil, nil, err
	}
	return log, done, nil
}

// copyServer copies the streams of a data directory, starts a server on the copy and connects to it. name is the log's.
func copyServer(ctx context.Context, dir string) (nc *nats.Conn, name string, done func(), err error) {
	tmp, err := os.MkdirTemp("", "sealstream-verify-*")
	if err != nil {
		return nil, "", nil, err
	}
	undo := []func(){func() { os.RemoveAll(tmp) }}
	done = func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	if err := copyTree(filepath.Join(dir, dirNATS), tmp); err != nil {
		return nil, "", nil, fmt.Errorf("copy of %s: %w", dir, err)
	}
	key, err := PublicKey(dir)
	if err != nil {
		return nil, "", nil, err
	}
	name = logOfKey(key)
	s, err := natsd.Start(ctx, natsd.Config{StoreDir: tmp, InProcess: true, Log: name})
	if err != nil {
		return nil, "", nil, err
	}
	undo = append(undo, s.Shutdown)
	if nc, err = s.Connect(connOptions("sealstream verify", slog.New(slog.DiscardHandler))...); err != nil {
		return nil, "", nil, err
	}
	undo = append(undo, nc.Close)
	return nc, name, done, nil
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, rel); {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case d.Type().IsRegular():
			return copyFile(path, target)
		}
		return nil
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
