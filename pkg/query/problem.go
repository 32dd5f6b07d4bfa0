package query

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// problem is an error as the API tells it (RFC 9457).
type problem struct {
	Type       string      `json:"type"`
	Title      string      `json:"title"`
	Status     int         `json:"status"`
	Detail     string      `json:"detail"`
	Parameter  string      `json:"parameter,omitempty"`
	Candidates []Candidate `json:"candidates,omitempty"`
	Index      *uint64     `json:"index,omitempty"` // the first that does not verify
}

func newProblem(status int, detail string) problem {
	return problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
}

// problemOf maps the errors of this package. Trouble of the store is told without its inside, which is for the log.
func problemOf(err error) problem {
	if e, ok := errors.AsType[*RequestError](err); ok {
		p := newProblem(http.StatusBadRequest, e.Error())
		p.Parameter = e.Param
		return p
	}
	if e, ok := errors.AsType[*AmbiguousError](err); ok {
		p := newProblem(http.StatusConflict, e.Error()+": add ?agent=, or ask by index")
		p.Candidates = e.Candidates
		return p
	}
	if e, ok := errors.AsType[*CorruptError](err); ok {
		p := newProblem(http.StatusInternalServerError, e.Error())
		p.Index = &e.Mismatch.Index
		return p
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return newProblem(http.StatusNotFound, err.Error())
	case comeAgain(err):
		return newProblem(http.StatusServiceUnavailable, err.Error())
	}
	return newProblem(http.StatusServiceUnavailable, "the log's store does not answer as it should; try again")
}

// comeAgain says whether nothing is wrong, and the same request will be answered soon.
func comeAgain(err error) bool {
	return errors.Is(err, ErrBuilding) || errors.Is(err, ErrBehind) || errors.Is(err, ErrBusy) || errors.Is(err, ErrCrowded)
}

// Fail answers a request with the problem that an error of this package stands for; for handlers beside its own.
func (q *Query) Fail(w http.ResponseWriter, r *http.Request, err error) { q.fail(w, r, err) }

// fail answers with a problem. What is wrong here, and not only not yet there, is logged, once.
func (q *Query) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status >= 500 && !comeAgain(err) && !errors.Is(err, context.Canceled) {
		q.log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "status", p.Status, "cause", err)
	}
	writeProblem(w, p)
}

func writeProblem(w http.ResponseWriter, p problem) {
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	b, _ := json.Marshal(p) // strings and numbers
	write(w, p.Status, "application/problem+json", append(b, '\n'))
}
