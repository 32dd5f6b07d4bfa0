package query

import (
	"net/http"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/api"
)

func (q *Query) getTrace(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	return q.answerTrace(w, r, p, "/v1/traces/", func(id string) api.Filter { return api.Filter{Trace: []string{id}} })
}

func (q *Query) getSession(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	return q.answerTrace(w, r, p, "/v1/sessions/", func(id string) api.Filter { return api.Filter{Session: []string{id}} })
}

// answerTrace writes the entries as they are read, then their summary.
func (q *Query) answerTrace(
	w http.ResponseWriter,
	r *http.Request,
	p *httpapi.Params,
	prefix string,
	filter func(id string) api.Filter,
) error {
	if err := p.End(); err != nil {
		return err
	}
	parts, err := below(r, prefix)
	if err != nil {
		return err
	}
	if len(parts) != 1 {
		return errPath
	}
	plan, s, err := q.planTrace(r.Context(), filter(parts[0]))
	if err != nil {
		return err
	}
	return plan.answerWith(w, r, bare, s.add, func(dst []byte) ([]byte, error) {
		dst, err := appendTraceEnd(dst, &s.TraceSummary)
		return append(dst, '\n'), err
	})
}
