// Package httpapi holds what all HTTP services share: problem documents, JSON answers, strict
// parameters, server-sent events in both directions, and the server with its limits.
package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/sealstream/sealstream/pkg/api"
)

// Problem answers with a problem document (RFC 9457).
func Problem(w http.ResponseWriter, p api.Problem) {
	p = p.Complete()
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	write(w, p.Status, api.ProblemMediaType, p)
}

// Fail answers with the problem that err is or wraps. For other errors it answers with status and
// the text of err.
func Fail(w http.ResponseWriter, status int, err error) {
	p, ok := errors.AsType[api.Problem](err)
	if !ok {
		p = api.Problem{Status: status, Detail: err.Error()}
	}
	Problem(w, p)
}

// JSON answers with a value as one line of JSON.
func JSON(w http.ResponseWriter, status int, v any) { write(w, status, "application/json", v) }

func write(w http.ResponseWriter, status int, kind string, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // our own types always encode
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	w.Write(body.Bytes()) // an error means that the client has gone
}
