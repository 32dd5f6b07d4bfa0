package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/query"
)

// healthPages are /healthz, /readyz and its two sides. openapi.json describes them, and all other
// routes.
func (p *pipeline) healthPages() map[string]http.Handler {
	list := map[string]http.Handler{}
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /readyz": p.readyz, "GET /healthz": p.healthz,
		"GET /readyz/write": p.readyzSide("write", p.writable),
		"GET /readyz/read":  p.readyzSide("read", p.readable),
	} {
		list[pattern] = httpapi.ForLog(p.log.Name, h)
	}
	return list
}

// accepting says why events are not accepted and sealed: while the process ends, and after the
// sealer has stopped.
func (p *pipeline) accepting() error {
	if p.closing.Load() {
		return errors.New("the log is being stopped")
	}
	if err := context.Cause(p.parts.ctx); err != nil {
		return err
	}
	if p.opening.holds() {
		return errOpening
	}
	return nil
}

// readyz is 200 when events are accepted and the log, as far as it was read, verifies. An index
// that is still being built makes queries wait and not agents; it says so. So does any other
// follower that is behind or in trouble: only one that finds the log bad is a reason to send
// nothing more here. The members write and read, and the two paths below, tell writers and readers
// apart.
func (p *pipeline) readyz(w http.ResponseWriter, r *http.Request) {
	status := p.query.Status()
	followers, bad := report(p.followers, p.size())
	body := p.withWitnesses(map[string]any{
		"write": "ready", "read": "ready", "followers": followers,
		"tree_size": status.Size, "lag": status.Lag, "index": "ready", "durability": p.ingest.Durability(),
	})
	if !status.CaughtUp {
		body["index"] = query.ErrBuilding.Error()
	}
	p.describe(body)
	if status.Err != nil {
		body["read"] = status.Err.Error()
	}
	err := p.writable()
	if err != nil {
		body["write"] = err.Error()
	} else if status.Corrupt {
		err = status.Err
	} else {
		err = bad
	}
	if err != nil {
		unready(w, r, err.Error(), body)
		return
	}
	well(w, r, "ready", withNotes(body, p.followers))
}

// readyzSide serves the readiness of one side alone, for programs that only write, or only read.
func (p *pipeline) readyzSide(name string, ready func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := ready(); err != nil {
			unready(w, r, err.Error(), map[string]any{name: err.Error()})
			return
		}
		well(w, r, "ready", map[string]any{name: "ready"})
	}
}

// writable says why events cannot be accepted and sealed now.
func (p *pipeline) writable() error {
	if err := cmp.Or(p.accepting(), p.rulesReady(), p.ingest.Ready()); err != nil {
		return err
	}
	if c, bad := failing(p.board); bad {
		return fmt.Errorf("%s: %s", c.Name, c.Text)
	}
	return nil
}

// readable says why queries cannot be answered now.
func (p *pipeline) readable() error { return cmp.Or(p.rulesReady(), p.query.Ready()) }

// healthz says that the process lives, and what its acknowledgements mean.
func (p *pipeline) healthz(w http.ResponseWriter, r *http.Request) {
	healthy(w, r, p.board, p.withWitnesses(map[string]any{"durability": p.ingest.Durability()}))
}

// withWitnesses adds how the witnesses fare, and whether files of the index are still being
// compared with the log. A log without enough witnesses goes on, and is ready.
func (p *pipeline) withWitnesses(body map[string]any) map[string]any {
	if p.witness != nil {
		body["witnesses"] = p.witness.Status()
	}
	if s := p.query.Status(); s.Rechecking > 0 {
		body["rechecking"] = s.Rechecking
	}
	return body
}
