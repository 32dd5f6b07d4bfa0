package node

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/access/gate"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// open is the context of requests to a process without access control.
var open = access.With(context.Background(), access.Open)

// unguarded serves this process itself, which may do everything.
func unguarded(h http.Handler) http.Handler { return (*gate.Gate)(nil).Handler(h) }

// openGate reads the rules of access. Nil: file is "", and there is no access control.
func (p Plugins) openGate(file string, board *health.Board, logger *slog.Logger) (*gate.Gate, *ruleSeals, error) {
	if file == "" {
		return nil, nil, nil
	}
	if p.ParseAccess == nil {
		return nil, nil, fmt.Errorf("%w: this program reads no files of rules of access", settings.ErrInvalid)
	}
	seals := &ruleSeals{logger: logger}
	g, err := gate.New(gate.Config{
		File: file, Parse: p.ParseAccess, VerifyJWT: p.VerifyJWT, Announce: seals.announce, Health: board, Logger: logger,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	return g, seals, nil
}

// refuseOpen fails if the process has rules of access, and the log takes events of any source on
// events.open, where nobody is asked who it is. await waits for a cluster that does not answer yet.
func (p *process) refuseOpen(ctx context.Context, await bool) error {
	if p.gate == nil {
		return nil
	}
	newest := func() (*entry.Config, error) {
		if end, _, err := store.End(ctx, p.log.Sealed); err != nil || end == 0 {
			return &entry.Config{}, err // nothing is sealed: there is no config
		}
		c, _, err := store.NewestConfig(ctx, p.log)
		return c, err
	}
	ask := newest
	if await {
		ask = func() (*entry.Config, error) { return natsconn.WaitForAnswer(ctx, p.logger, newest) }
	}
	c, err := ask()
	if err != nil {
		return fmt.Errorf("config of log %s: %w", p.log.Name, err)
	}
	if c.EventsOpen {
		return fmt.Errorf("%w: log %s takes events of any source on events.open, where rules of access check nobody: start "+
			"the sealer, or up, once with --close-events-open", settings.ErrInvalid, p.log.Name)
	}
	return nil
}

// addGate adds what puts the rules of access in force, and keeps them new. Add it after the parts
// that they are sealed for.
func (p *process) addGate() {
	if p.gate == nil {
		return
	}
	p.add(part{
		name: "access", begin: p.gate.Begin, run: p.gate.Run,
		watch: func(m Metrics) { m.WatchAccess(p.gate) },
		ready: func(context.Context) (map[string]any, error) { return nil, p.rulesReady() },
	})
}
