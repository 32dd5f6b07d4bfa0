package node

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"

	"github.com/sealstream/sealstream/internal/access"
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
func unready(w http.ResponseWriter, r *http.Request, detail string, body map[string]any) {
	if !inside(r) {
		detail = "this server is not ready; its administrators see why"
	}
	httpapi.ProblemWith(w, api.Problem{Status: http.StatusServiceUnavailable, Detail: detail}, shown(r, body))
}

// well answers /readyz or /healthz with 200.
func well(w http.ResponseWriter, r *http.Request, status string, body map[string]any) {
	body["status"] = status
	httpapi.JSON(w, http.StatusOK, shown(r, body))
}

// inside reports whether a caller may see how the process fares.
func inside(r *http.Request) bool { return access.From(r.Context()).Has(access.Admin) }

// shown returns what a caller of /readyz or /healthz may see of it. With access control, all but
// administrators see the state alone, as probes need it.
func shown(r *http.Request, body map[string]any) map[string]any {
	if inside(r) {
		return body
	}
	few := map[string]any{}
	for _, name := range []string{"status", "log", "access", "durability"} {
		if value, ok := body[name]; ok {
			few[name] = value
		}
	}
	return few
}

// healthy answers /healthz: 503 once only a restart of this process helps.
func healthy(w http.ResponseWriter, r *http.Request, board *health.Board, body map[string]any) {
	body["conditions"] = board.List()
	if c := board.Worst(); c.State >= health.Dead {
		unready(w, r, c.Name+": "+c.Text, body)
		return
	}
	well(w, r, "ok", body)
}

// servicePages are /healthz and /readyz of a service. The state of the streams and of the sealer
// makes it unready only if it writes to the log.
func (p *process) servicePages(writes bool) map[string]http.Handler {
	healthz := func(w http.ResponseWriter, r *http.Request) { healthy(w, r, p.board, map[string]any{}) }
	readyz := func(w http.ResponseWriter, r *http.Request) {
		body, err := p.ready(r.Context(), writes)
		p.describe(body)
		if err != nil {
			unready(w, r, err.Error(), body)
			return
		}
		well(w, r, "ready", body)
	}
	return map[string]http.Handler{
		"GET /healthz": httpapi.ForLog(p.log.Name, http.HandlerFunc(healthz)),
		"GET /readyz":  httpapi.ForLog(p.log.Name, http.HandlerFunc(readyz)),
	}
}

// describe adds what /readyz of every process shows.
func (p *process) describe(body map[string]any) {
	body["log"], body["conditions"] = p.log.Name, p.board.List()
	if p.gate != nil {
		body["access"] = httpapi.AccessRequired
	}
	p.showBacklog(body)
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
