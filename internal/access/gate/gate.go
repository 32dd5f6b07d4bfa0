// Package gate keeps the rules of access of a process: it reads them again when their file changes,
// judges each request by one version of them, and ends what runs on under a version that allows it
// no more.
//
//	access.yaml ─poll─▶ Parse ─▶ Announce ─▶ in force ─▶ Handler: who? may they? ─▶ next
//	                                            └──────▶ running streams are judged again
//
// A nil *Gate is the gate of a process without access control: its callers are access.Open.
package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/health"
)

// Config configures a gate. File and Parse are required.
type Config struct {
	// File is the file of the rules.
	File string
	// Parse reads the text of a file; name is for its errors.
	Parse func(name string, text []byte) (*access.Version, error)
	// VerifyJWT checks the signature, the issuer and the times of a JWT. Nil means that no JWT is
	// accepted. The error wraps access.ErrUnknown, access.ErrExpired or ErrIssuer.
	VerifyJWT func(ctx context.Context, issuers []access.Issuer, jwt string) (access.Credential, error)
	// Announce seals the text of a version before it comes into force, and returns the index of its
	// entry. Until it returns nil, the version before stays in force. It is called again, with
	// backoff, after an error. Nil means that versions are not sealed.
	Announce func(ctx context.Context, text []byte) (*uint64, error)

	Poll   time.Duration // how often the file is looked at; 0 means 200 ms
	Health *health.Board // gets the condition "access"; nil means a board that nobody sees
	Logger *slog.Logger  // nil discards all messages
}

// ErrIssuer is wrapped by the error of a JWT that cannot be checked now, because its issuer does
// not answer.
var ErrIssuer = errors.New("the issuer of the credential cannot be reached")

// announceTimeout limits one call of Announce.
const announceTimeout = 10 * time.Second

// Gate judges requests. New makes it, Run keeps its rules new.
type Gate struct {
	cfg     Config
	force   atomic.Pointer[access.Version] // nil until the first version is announced
	guesses guesses
	stats   stats
	file    file // owned by Run, after New

	mu      sync.Mutex
	changed chan struct{}     // closed when another version comes into force
	running map[*running]bool // requests that may run for long
}

// New reads the rules. It fails if they cannot be read or are invalid, so that nothing is served
// under rules that nobody has written. Without Announce, they are in force at once.
func New(cfg Config) (*Gate, error) {
	if cfg.Poll <= 0 {
		cfg.Poll = 200 * time.Millisecond
	}
	if cfg.Health == nil {
		cfg.Health = &health.Board{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gate{cfg: cfg, changed: make(chan struct{}), running: map[*running]bool{}}
	text, err := readFile(cfg.File)
	if err != nil {
		return nil, fmt.Errorf("rules of access: %w", err)
	}
	v, err := cfg.Parse(cfg.File, text)
	if err != nil {
		return nil, fmt.Errorf("rules of access:\n%w", err)
	}
	g.file = newFile(text, v)
	if cfg.Announce == nil {
		g.file.next = nil
		g.file.inForce, g.file.told = text, text
		g.putInForce(v)
	}
	return g, nil
}

// Begin tries to announce the first version, so that requests need not wait for Run. If that fails,
// Run tries again. The error is always nil.
func (g *Gate) Begin(ctx context.Context) error {
	if g.file.next != nil {
		g.announce(ctx)
	}
	return nil
}

// Run announces the first version if Begin has not, and looks at the file until ctx is done. Then
// it returns nil.
func (g *Gate) Run(ctx context.Context) error {
	ticks := time.NewTicker(g.cfg.Poll)
	defer ticks.Stop()
	for {
		g.look(ctx, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// Version returns the version in force. It is nil until the first one is sealed, and for a nil
// Gate.
func (g *Gate) Version() *access.Version {
	if g == nil {
		return nil
	}
	return g.force.Load()
}

// Changed returns a channel that is closed when another version comes into force. Take the channel
// first, and then ask Rejudge. For a nil Gate it is never closed.
func (g *Gate) Changed() <-chan struct{} {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// Rejudge judges a caller again, by the version in force. The error is access.ErrUnknown or
// access.ErrExpired.
func (g *Gate) Rejudge(c access.Caller) (access.Caller, error) {
	if g == nil {
		return c, nil
	}
	v := g.force.Load()
	if v == nil {
		return access.Caller{}, errNotInForce
	}
	return v.Rejudge(c, time.Now())
}

// putInForce makes requests be judged by a version from now on, and ends what it does not allow.
func (g *Gate) putInForce(v *access.Version) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.force.Store(v)
	close(g.changed)
	g.changed = make(chan struct{})
	for r := range g.running {
		g.check(r)
	}
	g.stats.versions.Add(1)
}

// readFile reads a file of rules, or a little more than what Parse accepts.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, access.MaxFileBytes+1)
}
