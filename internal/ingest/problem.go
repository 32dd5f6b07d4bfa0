package ingest

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/api"
)

// WriteError answers a request with the problem that corresponds to an error of Submit or Reserve.
func WriteError(w http.ResponseWriter, err error) { httpapi.Problem(w, problemOf(err)) }

// problemOf returns the complete problem that corresponds to an error.
func problemOf(err error) api.Problem {
	p := statusOf(err)
	if name := problemTypes[p.Status]; p.Type == "" && name != "" {
		p.Type = api.ProblemType + name
	}
	return p.Complete()
}

// statusOf returns the problem of an error, without the type and title that follow from its status.
func statusOf(err error) api.Problem {
	if p, ok := errors.AsType[api.Problem](err); ok {
		return p
	}
	switch {
	case errors.Is(err, ErrFull):
		return api.Problem{Type: api.ProblemType + "full", Status: http.StatusInsufficientStorage, RetryAfter: 5,
			Detail: "the log's input is full; nothing of this request's last group was stored, and sending all of it again " +
				"later is safe"}
	case errors.Is(err, ErrNoRoom):
		return api.Problem{
			Type:       api.ProblemType + "no-room",
			Status:     http.StatusServiceUnavailable,
			RetryAfter: 5,
			Detail:     err.Error() + "; nothing was stored",
		}
	case errors.Is(err, ErrDiskFull):
		return api.Problem{Type: api.ProblemType + "disk-full", Status: http.StatusServiceUnavailable, RetryAfter: 5,
			Detail: err.Error() + "; nothing of this request's last group was stored, and sending all of it again later is safe"}
	case errors.Is(err, ErrBusy):
		return api.Problem{
			Type:       api.ProblemType + "busy",
			Status:     http.StatusServiceUnavailable,
			RetryAfter: 1,
			Detail:     err.Error() + "; nothing was stored",
		}
	case errors.Is(err, ErrWitnessed):
		return api.Problem{Type: api.ProblemType + "not-witnessed", Status: http.StatusNotImplemented, Field: "wait",
			Detail: "this log has no witnesses, so no receipt can say witnessed; nothing was stored"}
	case errors.Is(err, ErrUnavailable):
		return api.Problem{
			Type:       api.ProblemType + "unavailable",
			Status:     http.StatusServiceUnavailable,
			RetryAfter: 1,
			Detail:     err.Error(),
		}
	case errors.Is(err, ErrUnknown):
		return api.Problem{Type: api.ProblemType + "unknown-outcome", Status: http.StatusServiceUnavailable, RetryAfter: 1,
			Detail: "the store did not answer, and it is not known whether the events are stored; sending them again with " +
				"the same ids is safe"}
	}
	return api.Problem{Status: http.StatusInternalServerError, Detail: "events cannot be taken in"}
}

// problemTypes names the problems that have no type of their own. A client must be able to tell an
// answer of the log from that of a proxy, which uses the same status codes.
var problemTypes = map[int]string{
	http.StatusBadRequest:            "bad-request",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not-found",
	http.StatusMethodNotAllowed:      "method-not-allowed",
	http.StatusRequestEntityTooLarge: "too-large",
	http.StatusUnsupportedMediaType:  "unsupported-media-type",
}

// refusedProblem returns the problem for a single event that was rejected.
func refusedProblem(r api.Receipt) api.Problem {
	if *r.Error == *refusal(errPublish) {
		return api.Problem{Type: api.ProblemType + "forbidden", Status: http.StatusForbidden,
			Detail: fmt.Sprintf("%s: %q", r.Error.Error(), r.AgentDID), Field: r.Error.Field, EntryID: r.EntryID}
	}
	return api.Problem{Type: api.ProblemType + "rejected", Title: "Event rejected", Status: http.StatusBadRequest,
		Detail: r.Error.Error(), Field: r.Error.Field, EntryID: r.EntryID}
}
