package query

import (
	"context"
	"errors"
	"net/http"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/api"
)

// problemOf returns the problem for an error. The details of errors of the store are only logged.
func problemOf(err error) api.Problem {
	if e, ok := errors.AsType[*api.ParamError](err); ok {
		return api.Problem{Status: http.StatusBadRequest, Detail: e.Error(), Parameter: e.Param}
	}
	if e, ok := errors.AsType[*AmbiguousError](err); ok {
		return api.Problem{
			Status:     http.StatusConflict,
			Detail:     e.Error() + ": add ?agent=, or ask by index",
			Candidates: e.Candidates,
		}
	}
	if e, ok := errors.AsType[*CorruptError](err); ok {
		return api.Problem{Status: http.StatusInternalServerError, Detail: e.Error(), Index: &e.Mismatch.Index}
	}
	switch {
	case errors.Is(err, ErrWithheld):
		return api.Problem{Status: http.StatusForbidden, Detail: err.Error()}
	case errors.Is(err, ErrNotFound):
		return api.Problem{Status: http.StatusNotFound, Detail: err.Error()}
	case isTemporary(err):
		return unavailable(err.Error())
	}
	return unavailable("the log's store does not answer as it should; try again")
}

func unavailable(detail string) api.Problem {
	return api.Problem{Status: http.StatusServiceUnavailable, Detail: detail, RetryAfter: 1}
}

// isTemporary reports whether nothing is wrong and the same request will soon succeed.
func isTemporary(err error) bool {
	return errors.Is(err, ErrBuilding) || errors.Is(err, ErrBehind) || errors.Is(err, ErrBusy) ||
		errors.Is(err, ErrCrowded) || errors.Is(err, ErrFull) || errors.Is(err, ErrLarge)
}

// Fail answers a request with the problem for an error of this package. It is for handlers of other
// packages.
func (q *Query) Fail(w http.ResponseWriter, r *http.Request, err error) { q.fail(w, r, err) }

// fail answers with a problem, and logs an error of the server that is not temporary.
func (q *Query) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status >= 500 && !isTemporary(err) && !errors.Is(err, context.Canceled) {
		q.logger.ErrorContext(r.Context(), "query request failed", "method", r.Method, "path", r.URL.Path,
			"status", p.Status, "cause", err)
	}
	httpapi.Problem(w, p)
}
