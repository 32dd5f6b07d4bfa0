package node

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/access/gate"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/settings"
)

// open is the context of requests to a process without access control.
var open = access.With(context.Background(), access.Open)

// unguarded serves this process itself, which may do everything.
func unguarded(h http.Handler) http.Handler { return (*gate.Gate)(nil).Handler(h) }

// announcer seals the text of rules of access; see gate.Config.
type announcer = func(ctx context.Context, text []byte) (*uint64, error)

// openGate reads the rules of access. Nil: file is "", and there is no access control. Without
// announce, versions are not sealed.
func (p Plugins) openGate(
	file string, announce announcer, board *health.Board, logger *slog.Logger,
) (*gate.Gate, error) {
	if file == "" {
		return nil, nil
	}
	if p.ParseAccess == nil {
		return nil, fmt.Errorf("%w: this program reads no files of rules of access", settings.ErrInvalid)
	}
	g, err := gate.New(gate.Config{
		File: file, Parse: p.ParseAccess, VerifyJWT: p.VerifyJWT, Announce: announce, Health: board, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	return g, nil
}

// addGate adds what puts the rules of access in force, and keeps them new. Add it after the parts
// that seal them.
func (p *process) addGate() {
	if p.gate == nil {
		return
	}
	p.add(part{
		name: "access", begin: p.gate.Begin, run: p.gate.Run,
		watch: func(m Metrics) { m.WatchAccess(p.gate) },
	})
}
