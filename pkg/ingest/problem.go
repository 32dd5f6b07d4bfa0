package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// problem is an RFC 9457 answer. Type is a name for programs.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"`
	Entry  string `json:"entry_id,omitempty"`
	Retry  int    `json:"-"` // seconds
}

func (p problem) Error() string { return p.Detail }

// complete fills what every problem document has.
func (p problem) complete() problem {
	if p.Type == "" {
		p.Type = "about:blank"
	}
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	return p
}

func (p problem) write(w http.ResponseWriter) {
	p = p.complete()
	if p.Retry > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(p.Retry))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

// WriteError answers a request with the problem that an error of Submit stands for; for handlers beside this package's own.
func WriteError(w http.ResponseWriter, err error) { asProblem(err).write(w) }

// asProblem finds the status that an error stands for.
func asProblem(err error) problem {
	if p, ok := errors.AsType[problem](err); ok {
		return p
	}
	switch {
	case errors.Is(err, ErrFull):
		return problem{Type: problemType + "full", Status: http.StatusInsufficientStorage, Retry: 5,
			Detail: "the log's input is full; nothing of this request's last group was stored, and sending all of it again later is safe"}
	case errors.Is(err, ErrBusy):
		return problem{Type: problemType + "busy", Status: http.StatusServiceUnavailable, Retry: 1, Detail: err.Error() + "; nothing was stored"}
	case errors.Is(err, ErrWitnessed):
		return problem{Type: problemType + "not-witnessed", Status: http.StatusNotImplemented, Field: "wait",
			Detail: "this log has no witnesses, so no receipt can say witnessed; nothing was stored"}
	case errors.Is(err, ErrUnavailable):
		return problem{Type: problemType + "unavailable", Status: http.StatusServiceUnavailable, Retry: 1, Detail: err.Error()}
	case errors.Is(err, ErrUnknown):
		return problem{Type: problemType + "unknown-outcome", Status: http.StatusServiceUnavailable, Retry: 1,
			Detail: "the store did not answer, and it is not known whether the events are stored; sending them again with the same ids is safe"}
	}
	return problem{Status: http.StatusInternalServerError, Detail: "events cannot be taken in"}
}

const problemType = "urn:sealstream:problem:"

// refusedProblem tells of a single event that was refused.
func refusedProblem(r Receipt) problem {
	p := problem{Type: problemType + "rejected", Title: "Event rejected", Status: http.StatusBadRequest, Detail: r.Error.Reason, Field: r.Error.Field, Entry: r.EntryID}
	if p.Field != "" {
		p.Detail = p.Field + ": " + p.Detail
	}
	return p
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
