package node

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/vitals"
	"github.com/sealstream/sealstream/pkg/api"
)

// newBoard makes a board that writes a line into the log file at each change of a condition. What
// sets a condition need not log it.
func newBoard(logger *slog.Logger, log string) *health.Board {
	board := &health.Board{}
	board.OnChange(func(c health.Condition) {
		level := slog.LevelWarn
		if c.State == health.OK {
			level = slog.LevelInfo
		} else if c.State >= health.Failing {
			level = slog.LevelError
		}
		logger.Log(
			context.Background(),
			level,
			"condition changed",
			"log",
			log,
			"condition",
			c.Name,
			"state",
			c.State,
			"text",
			c.Text,
		)
	})
	return board
}

// failing is the first of the worst conditions of a board, if this process does not work because of
// it.
func failing(board *health.Board) (health.Condition, bool) {
	c := board.Worst()
	return c, c.State >= health.Failing
}

// unready answers /readyz or /healthz with 503, and shows what a page that is well would show too.
func unready(w http.ResponseWriter, detail string, body map[string]any) {
	httpapi.ProblemWith(w, api.Problem{Status: http.StatusServiceUnavailable, Detail: detail}, body)
}

// healthy answers /healthz: 503 once only a restart of this process helps.
func healthy(w http.ResponseWriter, board *health.Board, body map[string]any) {
	body["conditions"] = board.List()
	if c := board.Worst(); c.State >= health.Dead {
		unready(w, c.Name+": "+c.Text, body)
		return
	}
	body["status"] = "ok"
	httpapi.JSON(w, http.StatusOK, body)
}

// servicePages are /healthz and /readyz of a service. The state of the streams and of the sealer
// makes it unready only if it writes to the log.
func (p *process) servicePages(writes bool) map[string]http.Handler {
	healthz := func(w http.ResponseWriter, r *http.Request) { healthy(w, p.board, map[string]any{}) }
	readyz := func(w http.ResponseWriter, r *http.Request) {
		body, err := p.ready(r.Context(), writes)
		body["conditions"] = p.board.List()
		p.showBacklog(body)
		if err != nil {
			unready(w, err.Error(), body)
			return
		}
		body["status"] = "ready"
		httpapi.JSON(w, http.StatusOK, body)
	}
	return map[string]http.Handler{
		"GET /healthz": httpapi.ForLog(p.log.Name, http.HandlerFunc(healthz)),
		"GET /readyz":  httpapi.ForLog(p.log.Name, http.HandlerFunc(readyz)),
	}
}

// ready returns what the parts show of themselves, and why one of them, or the process, is not
// ready.
func (p *process) ready(ctx context.Context, writes bool) (body map[string]any, err error) {
	body = map[string]any{}
	for _, x := range p.list {
		if x.ready == nil {
			continue
		}
		shows, why := x.ready(ctx)
		maps.Copy(body, shows)
		if why != nil {
			return body, why
		}
	}
	ignored := vitals.AboutWriting
	if writes {
		ignored = nil
	}
	if c := p.board.Worst(ignored...); c.State >= health.Failing {
		err = fmt.Errorf("%s: %s", c.Name, c.Text)
	}
	return body, err
}
