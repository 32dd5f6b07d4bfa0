package node

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

	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/witness"
)

// readPolicy reads the witness policy file of a log; nil: path is "". A policy that names logs must name this one.
func readPolicy(path string, vkeys ...string) (*proof.Policy, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: witness policy: %w", ErrWrong, err)
	}
	p, err := proof.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrWrong, path, err)
	}
	if keys := p.LogKeys(); len(keys) > 0 && !slices.ContainsFunc(vkeys, func(k string) bool { return slices.Contains(keys, k) }) {
		return nil, fmt.Errorf("%w: %s: the policy names other logs, and not %s", ErrWrong, path, strings.Join(vkeys, " or "))
	}
	if !slices.ContainsFunc(p.Witnesses, func(w proof.PolicyWitness) bool { return w.URL != "" }) {
		return nil, fmt.Errorf("%w: %s: no witness has a URL, so nobody can be asked", ErrWrong, path)
	}
	return p, nil
}

// newCollector makes what asks a log's witnesses; nil: it has no policy.
func newCollector(log *store.Log, keys []string, policy *proof.Policy, logger *slog.Logger) (*witness.Collector, error) {
	if policy == nil {
		return nil, nil
	}
	return witness.NewCollector(witness.CollectorConfig{Log: log, Keys: keys, Policy: policy, Logger: logger})
}

// WitnessConfig is a witness for other logs.
type WitnessConfig struct {
	Key    string       // file with the cosigner's signer key; made if there is none
	Name   string       // of a key that is made now
	Logs   string       // file that lists the logs: lines `log VKEY`, as in a policy
	State  string       // file that remembers what was cosigned
	Listen string       // address
	Logger *slog.Logger // nil: silent
}

// Witness is a running witness.
type Witness struct {
	*witness.Witness
	Key      string // its verifier key
	lock     *os.File
	listener net.Listener
}

// OpenWitness reads key, logs and state, takes the state's lock and the address. Nothing is served before Serve.
func OpenWitness(cfg WitnessConfig) (w *Witness, err error) {
	cosigner, err := CosignerKey(cfg.Key, cfg.Name)
	if err != nil {
		return nil, err
	}
	logs, err := readLogs(cfg.Logs)
	if err != nil {
		return nil, err
	}
	open := &Witness{Key: cosigner.VerifierKey()}
	defer func() {
		if err != nil {
			open.Close()
		}
	}()
	if open.lock, err = lockFile(cfg.State + ".lock"); err != nil { // two with one state would each forget what the other has cosigned
		return nil, fmt.Errorf("%s: %w", cfg.State, err)
	}
	if open.Witness, err = witness.New(witness.Config{Cosigner: cosigner, Logs: logs, State: cfg.State, Logger: cfg.Logger}); err != nil {
		return nil, err
	}
	// Not on the loopback alone: what is asked is signed by a log, and what is answered is for everyone.
	if open.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("%w: --listen: %w", ErrWrong, err)
	}
	return open, nil
}

// CosignerKey reads a witness's signer key from its file, or makes it under a name if there is none.
func CosignerKey(path, name string) (*proof.Cosigner, error) {
	if _, err := os.Stat(path); os.IsNotExist(err) && name != "" {
		skey, _, err := proof.GenerateCosignerKey(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrWrong, err)
		}
		if err := WriteFile(path, []byte(skey+"\n"), 0o600); err != nil {
			return nil, err
		}
	}
	skey, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	c, err := proof.NewCosigner(skey)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeys, path, err)
	}
	return c, nil
}

// readLogs reads the lines `log VKEY [URL]` of a file; of a policy, the rest is passed over.
func readLogs(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrong, err)
	}
	var keys []string
	for i, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "log" {
			if len(words) > 0 && !slices.Contains([]string{"witness", "group", "quorum"}, words[0]) && words[0][0] != '#' {
				return nil, fmt.Errorf("%w: %s: line %d: %.80q is not `log VKEY`", ErrWrong, path, i+1, line)
			}
			continue
		}
		if len(words) < 2 {
			return nil, fmt.Errorf("%w: %s: line %d: a log has a key", ErrWrong, path, i+1)
		}
		if err := proof.CheckKey(words[1]); err != nil {
			return nil, fmt.Errorf("%w: %s: line %d: %w", ErrWrong, path, i+1, err)
		}
		keys = append(keys, words[1])
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: %s names no log", ErrWrong, path)
	}
	return keys, nil
}

// URL is where it is asked.
func (w *Witness) URL() string { return "http://" + w.listener.Addr().String() }

// Serve answers until ctx is done, which is a nil return.
func (w *Witness) Serve(ctx context.Context) error {
	s := &http.Server{Handler: w.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	return serve(ctx, s, w.listener, stopGrace)
}

// Close gives the address and the state's lock back.
func (w *Witness) Close() {
	if w.listener != nil {
		w.listener.Close()
	}
	if w.lock != nil {
		w.lock.Close()
	}
}
