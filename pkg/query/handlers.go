package query

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/proof"
)

func (q *Query) getEntries(w http.ResponseWriter, r *http.Request, p *params) error {
	return q.listEntries(w, r, p, p.filter())
}

// getAgentEntries and getTypeEntries are /v1/entries with one filter in the path; a cursor of one is a cursor of the other.
func (q *Query) getAgentEntries(w http.ResponseWriter, r *http.Request, p *params) error {
	return q.getShortCut(w, r, p, "/v1/agents/", "agent", func(f *Filter) *[]string { return &f.Agent })
}

func (q *Query) getTypeEntries(w http.ResponseWriter, r *http.Request, p *params) error {
	return q.getShortCut(w, r, p, "/v1/types/", "type", func(f *Filter) *[]string { return &f.Type })
}

func (q *Query) getShortCut(w http.ResponseWriter, r *http.Request, p *params, prefix, name string, field func(*Filter) *[]string) error {
	parts, err := below(r, prefix)
	if err != nil {
		return err
	}
	if len(parts) != 2 || parts[1] != "entries" {
		return errPath
	}
	filter := p.filter()
	values := field(&filter)
	if len(*values) > 0 {
		return &RequestError{name, "stands in the path already"}
	}
	*values = parts[:1]
	return q.listEntries(w, r, p, filter)
}

func (q *Query) listEntries(w http.ResponseWriter, r *http.Request, p *params, filter Filter) error {
	page, raw := p.page(), p.flag("raw")
	if err := p.end(); err != nil {
		return err
	}
	plan, err := q.plan(filter, page)
	if err != nil {
		return err
	}
	return plan.answer(w, r, raw)
}

func (q *Query) getEntry(w http.ResponseWriter, r *http.Request, p *params, in string) error {
	raw := p.flag("raw")
	if err := p.end(); err != nil {
		return err
	}
	index, err := parseIndex(in)
	if err != nil {
		return err
	}
	found, err := q.Entry(r.Context(), index)
	return writeFound(w, found, raw, err)
}

func (q *Query) getEntryByID(w http.ResponseWriter, r *http.Request, p *params, id string) error {
	raw := p.flag("raw")
	agent, _ := p.one("agent")
	if err := p.end(); err != nil {
		return err
	}
	found, err := q.EntryByID(r.Context(), id, agent)
	return writeFound(w, found, raw, err)
}

func writeFound(w http.ResponseWriter, f Found, raw bool, err error) error {
	if err != nil {
		return err
	}
	b, err := f.AppendJSON(nil, raw)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, "application/json", append(b, '\n'))
	return nil
}

// parseIndex reads the index in a path. One that no log can have is as unknown as any other.
func parseIndex(s string) (uint64, error) {
	if strings.Trim(s, "0123456789") != "" || len(s) > 1 && s[0] == '0' {
		return 0, &RequestError{"index", "is not a decimal number"}
	}
	n, err := strconv.ParseUint(s, 10, 53)
	if err != nil {
		return 0, ErrNotFound
	}
	return n, nil
}

func (q *Query) getProof(w http.ResponseWriter, r *http.Request, p *params, in string) error {
	raw, size := p.flag("raw"), p.index("size")
	if raw && size != nil {
		p.fail("size", "goes without raw")
	}
	if err := p.end(); err != nil {
		return err
	}
	index, err := parseIndex(in)
	if err != nil {
		return err
	}
	if size != nil {
		proved, err := q.ProofAt(r.Context(), index, *size)
		return writeProof(w, r, proved, err)
	}
	proved, err := q.Proof(r.Context(), index, raw)
	return writeProof(w, r, proved, err)
}

func (q *Query) getProofByID(w http.ResponseWriter, r *http.Request, p *params, id string) error {
	raw := p.flag("raw")
	agent, _ := p.one("agent")
	if err := p.end(); err != nil {
		return err
	}
	proved, err := q.ProofByID(r.Context(), id, agent, raw)
	return writeProof(w, r, proved, err)
}

func writeProof(w http.ResponseWriter, r *http.Request, p proof.EntryProof, err error) error {
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	if prefersText(strings.Join(r.Header.Values("Accept"), ",")) {
		write(w, http.StatusOK, "text/plain; charset=utf-8", proof.FormatFile(p.LeafIndex, p.MerkleProof, []byte(p.Checkpoint)))
		return nil
	}
	return writeJSON(w, p)
}

func (q *Query) getConsistency(w http.ResponseWriter, r *http.Request, p *params) error {
	from, to := p.number("from", true), p.number("to", true)
	if err := p.end(); err != nil {
		return err
	}
	c, err := q.Consistency(r.Context(), from, to)
	if err != nil {
		return err
	}
	return writeJSON(w, c)
}

func (q *Query) getVerify(w http.ResponseWriter, r *http.Request, p *params) error {
	if err := p.end(); err != nil {
		return err
	}
	v, err := q.Verify(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, v)
}

func (q *Query) getStats(w http.ResponseWriter, r *http.Request, p *params) error {
	if err := p.end(); err != nil {
		return err
	}
	return writeJSON(w, q.Stats())
}

func (q *Query) getCheckpoint(w http.ResponseWriter, r *http.Request, p *params) error {
	if err := p.end(); err != nil {
		return err
	}
	c, err := q.Published(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "max-age=1")
	write(w, http.StatusOK, "text/plain; charset=utf-8", c.Note)
	return nil
}

// getHealth says that the process answers; whether it answers well is readyz's question.
func (q *Query) getHealth(w http.ResponseWriter, r *http.Request, p *params) error {
	if err := p.end(); err != nil {
		return err
	}
	return writeJSON(w, map[string]string{"status": "ok"})
}

func (q *Query) getReady(w http.ResponseWriter, r *http.Request, p *params) error {
	if err := p.end(); err != nil {
		return err
	}
	err := q.Ready()
	if err == nil && q.cfg.Accepting != nil {
		err = q.cfg.Accepting()
	}
	if err != nil { // not logged: whoever probes does so every few seconds
		writeProblem(w, newProblem(http.StatusServiceUnavailable, err.Error()))
		return nil
	}
	s := q.Status()
	return writeJSON(w, map[string]any{"status": "ready", "tree_size": s.Size, "lag": s.Lag})
}
