package query

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
)

func (q *Query) getEntries(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	return q.listEntries(w, r, p, p.Filter())
}

// getAgentEntries and getTypeEntries serve /v1/entries with one filter in the path. Their cursors
// are valid for /v1/entries with that filter.
func (q *Query) getAgentEntries(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	return q.getShortCut(w, r, p, "/v1/agents/", "agent", func(f *api.Filter) *[]string { return &f.Agent })
}

func (q *Query) getTypeEntries(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	return q.getShortCut(w, r, p, "/v1/types/", "type", func(f *api.Filter) *[]string { return &f.Type })
}

func (q *Query) getShortCut(
	w http.ResponseWriter,
	r *http.Request,
	p *httpapi.Params,
	prefix, name string,
	field func(*api.Filter) *[]string,
) error {
	parts, err := below(r, prefix)
	if err != nil {
		return err
	}
	if len(parts) != 2 || parts[1] != "entries" {
		return errPath
	}
	filter := p.Filter()
	values := field(&filter)
	if len(*values) > 0 {
		return &api.ParamError{Param: name, Reason: "stands in the path already"}
	}
	*values = parts[:1]
	return q.listEntries(w, r, p, filter)
}

func (q *Query) listEntries(w http.ResponseWriter, r *http.Request, p *httpapi.Params, filter api.Filter) error {
	page, form, proved := pageParams(p), bare, p.Flag("proof")
	if p.Flag("raw") {
		form = raw
	}
	if page.Size > 0 && !proved {
		p.Fail("size", "goes with proof=1")
	}
	if page.Withheld = p.Flag("withheld"); page.Withheld && proved {
		p.Fail("withheld", "goes without proof=1")
	}
	if err := p.End(); err != nil {
		return err
	}
	if err := q.checkPage(r.Context(), page); err != nil {
		return err
	}
	plan, err := q.plan(r.Context(), filter, page)
	if err != nil {
		return err
	}
	if proved {
		return plan.answerProved(w, r)
	}
	if page.Withheld {
		return plan.answerWithheld(w, r, form)
	}
	return plan.answer(w, r, form)
}

func (q *Query) getEntry(w http.ResponseWriter, r *http.Request, p *httpapi.Params, in string) error {
	raw := p.Flag("raw")
	if err := p.End(); err != nil {
		return err
	}
	index, err := parseIndex(in)
	if err != nil {
		return err
	}
	found, err := q.Entry(r.Context(), index)
	return writeFound(w, found, raw, err)
}

func (q *Query) getEntryByID(w http.ResponseWriter, r *http.Request, p *httpapi.Params, id string) error {
	raw := p.Flag("raw")
	agent, _ := p.One("agent")
	if err := p.End(); err != nil {
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

// parseIndex reads the index in a path. An index that no log can have is ErrNotFound like any
// other.
func parseIndex(s string) (uint64, error) {
	if strings.Trim(s, "0123456789") != "" || len(s) > 1 && s[0] == '0' {
		return 0, &api.ParamError{Param: "index", Reason: "is not a decimal number"}
	}
	n, err := strconv.ParseUint(s, 10, 53)
	if err != nil {
		return 0, ErrNotFound
	}
	return n, nil
}

func (q *Query) getProof(w http.ResponseWriter, r *http.Request, p *httpapi.Params, in string) error {
	raw, size := p.Flag("raw"), indexParam(p, "size")
	if raw && size != nil {
		p.Fail("size", "goes without raw")
	}
	if err := p.End(); err != nil {
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

func (q *Query) getProofByID(w http.ResponseWriter, r *http.Request, p *httpapi.Params, id string) error {
	raw := p.Flag("raw")
	agent, _ := p.One("agent")
	if err := p.End(); err != nil {
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
		write(w, http.StatusOK, "text/plain; charset=utf-8",
			p.FormatFile())
		return nil
	}
	httpapi.JSON(w, http.StatusOK, p)
	return nil
}

func (q *Query) getConsistency(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	from, to := required(p, "from"), required(p, "to")
	if err := p.End(); err != nil {
		return err
	}
	c, err := q.Consistency(r.Context(), from, to)
	if err != nil {
		return err
	}
	httpapi.JSON(w, http.StatusOK, c)
	return nil
}

func (q *Query) getVerify(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	if err := p.End(); err != nil {
		return err
	}
	v, err := q.Verify(r.Context())
	if err != nil {
		return err
	}
	httpapi.JSON(w, http.StatusOK, v)
	return nil
}

func (q *Query) getStats(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	if err := p.End(); err != nil {
		return err
	}
	s, err := q.StatsFor(r.Context())
	if err != nil {
		return err
	}
	httpapi.JSON(w, http.StatusOK, s)
	return nil
}

func (q *Query) getCheckpoint(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	if err := p.End(); err != nil {
		return err
	}
	c, err := q.Published(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", q.cacheControl("max-age=1"))
	write(w, http.StatusOK, "text/plain; charset=utf-8", c.Note)
	return nil
}

// getHealth reports only that the process answers. /readyz reports whether it answers correctly.
func (q *Query) getHealth(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	if err := p.End(); err != nil {
		return err
	}
	httpapi.JSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

func (q *Query) getReady(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	if err := p.End(); err != nil {
		return err
	}
	err := q.Ready()
	if err == nil && q.cfg.Accepting != nil {
		err = q.cfg.Accepting()
	}
	if err != nil { // not logged, since probes come every few seconds
		httpapi.Problem(w, unavailable(err.Error()))
		return nil
	}
	s := q.Status()
	body := map[string]any{"status": "ready", "tree_size": s.Size, "lag": s.Lag}
	if s.Rechecking > 0 {
		body["rechecking"] = s.Rechecking
	}
	if s.DataErr != nil && q.sightOf(r.Context()) == nil { // it may name a withheld entry
		body["unreadable"], body["data_error"] = s.Unreadable, s.DataErr.Error()
	}
	httpapi.JSON(w, http.StatusOK, body)
	return nil
}
