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

// openGate reads the rules of access. Nil: file is "", and there is no access control.
func (p Plugins) openGate(file string, board *health.Board, logger *slog.Logger) (*gate.Gate, error) {
	if file == "" {
		return nil, nil
	}
	if p.ParseAccess == nil {
		return nil, fmt.Errorf("%w: this program reads no files of rules of access", settings.ErrInvalid)
	}
	g, err := gate.New(gate.Config{
		File: file, Parse: p.ParseAccess, VerifyJWT: p.VerifyJWT, Health: board, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	return g, nil
}

// addGate adds what keeps the rules of access new.
func (p *process) addGate() {
	if p.gate == nil {
		return
	}
	p.add(part{name: "access", run: p.gate.Run, watch: func(m Metrics) { m.WatchAccess(p.gate) }})
}
