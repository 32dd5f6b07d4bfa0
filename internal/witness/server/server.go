// Package server runs a witness for other logs, as a program of its own.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/flock"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/witness"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Config configures a witness.
type Config struct {
	Key    string       // file with the cosigner's signer key; made if there is none
	Name   string       // of a key that is made now
	Logs   string       // file that lists the logs: lines `log VKEY`, as in a policy
	State  string       // file that remembers what was cosigned
	Listen string       // address
	Logger *slog.Logger // nil: silent
}

// Server is a running witness.
type Server struct {
	*witness.Witness
	Key      string // its verifier key
	lock     *flock.Lock
	listener net.Listener
}

// Open reads key, logs and state, takes the state's lock and the address. Nothing is served
// before Serve.
func Open(cfg Config) (s *Server, err error) {
	cosigner, err := CosignerKey(cfg.Key, cfg.Name)
	if err != nil {
		return nil, err
	}
	logs, err := readLogs(cfg.Logs)
	if err != nil {
		return nil, err
	}
	open := &Server{Key: cosigner.VerifierKey()}
	defer func() {
		if err != nil {
			open.Close()
		}
	}()
	if open.lock, err = flock.Create(cfg.State + ".lock"); err != nil {
		// two with one state would each forget what the other has cosigned
		return nil, fmt.Errorf("%s: %w", cfg.State, datadir.LockedBy(err))
	}
	if open.Witness, err = witness.New(witness.Config{
		Cosigner: cosigner, Logs: logs, State: cfg.State, Guard: open.lock.Held, Logger: cfg.Logger,
	}); err != nil {
		return nil, err
	}
	// Not on the loopback alone: what is asked is signed by a log, and what is answered is for
	// everyone.
	if open.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("%w: --listen: %w", settings.ErrInvalid, err)
	}
	return open, nil
}

// CosignerKey reads a witness's signer key from its file, or makes it under a name if there is
// none.
func CosignerKey(path, name string) (*cosign.Cosigner, error) {
	if _, err := os.Stat(path); os.IsNotExist(err) && name != "" {
		skey, _, err := cosign.GenerateKey(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", settings.ErrInvalid, err)
		}
		if err := datadir.WriteFile(path, []byte(skey+"\n"), 0o600); err != nil {
			return nil, err
		}
	}
	skey, err := datadir.ReadSecret(path)
	if err != nil {
		return nil, err
	}
	c, err := cosign.New(skey)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", datadir.ErrKeys, path, err)
	}
	return c, nil
}

// readLogs reads the lines `log VKEY [URL]` of a file; of a policy, the rest is passed over.
func readLogs(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	var keys []string
	for i, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "log" {
			if len(words) > 0 && !slices.Contains([]string{"witness", "group", "quorum"}, words[0]) && words[0][0] != '#' {
				return nil, fmt.Errorf("%w: %s: line %d: %.80q is not `log VKEY`", settings.ErrInvalid, path, i+1, line)
			}
			continue
		}
		if len(words) < 2 {
			return nil, fmt.Errorf("%w: %s: line %d: a log has a key", settings.ErrInvalid, path, i+1)
		}
		if err := proof.CheckKey(words[1]); err != nil {
			return nil, fmt.Errorf("%w: %s: line %d: %w", settings.ErrInvalid, path, i+1, err)
		}
		keys = append(keys, words[1])
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: %s names no log", settings.ErrInvalid, path)
	}
	return keys, nil
}

// URL is where it is asked.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// stopTimeout is how long requests under way may take when the witness stops.
const stopTimeout = 5 * time.Second

// Serve answers until ctx is done, which is a nil return.
func (s *Server) Serve(ctx context.Context) error {
	web := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	return httpapi.Serve(ctx, web, s.listener, stopTimeout)
}

// Close gives the address and the state's lock back.
func (s *Server) Close() {
	if s.listener != nil {
		s.listener.Close()
	}
	if s.lock != nil {
		s.lock.Close()
	}
}
