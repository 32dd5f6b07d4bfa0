package query

import "net/http"

func (q *Query) getTrace(w http.ResponseWriter, r *http.Request, p *params) error {
	return q.answerTrace(w, r, p, "/v1/traces/", func(id string) Filter { return Filter{Trace: []string{id}} })
}

func (q *Query) getSession(w http.ResponseWriter, r *http.Request, p *params) error {
	return q.answerTrace(w, r, p, "/v1/sessions/", func(id string) Filter { return Filter{Session: []string{id}} })
}

// answerTrace writes the entries as they are read, and behind them what they amount to.
func (q *Query) answerTrace(w http.ResponseWriter, r *http.Request, p *params, prefix string, filter func(id string) Filter) error {
	if err := p.end(); err != nil {
		return err
	}
	parts, err := below(r, prefix)
	if err != nil {
		return err
	}
	if len(parts) != 1 {
		return errPath
	}
	plan, s, err := q.planTrace(filter(parts[0]))
	if err != nil {
		return err
	}
	return plan.answerWith(w, r, false, s.add, func(dst []byte) ([]byte, error) {
		dst, err := s.appendEnd(dst)
		return append(dst, '\n'), err
	})
}
