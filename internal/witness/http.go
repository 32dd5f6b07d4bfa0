package witness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Handler serves POST /add-checkpoint, GET /<hex of SHA-256 of an origin>/checkpoint, which is the
// newest cosigned checkpoint, and GET /healthz.
func (w *Witness) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", w.addCheckpoint)
	mux.HandleFunc("GET /{log}/checkpoint", func(rw http.ResponseWriter, r *http.Request) {
		for _, origin := range w.Origins() {
			if h := sha256.Sum256([]byte(origin)); hex.EncodeToString(h[:]) == r.PathValue("log") {
				if note, ok := w.Newest(origin); ok {
					rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
					rw.Header().Set("Cache-Control", "no-store")
					rw.Write(note)
					return
				}
			}
		}
		http.NotFound(rw, r)
	})
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, "{\"status\":\"ok\",\"key\":%q,\"logs\":%d}\n", w.cfg.Cosigner.VerifierKey(), len(w.keys))
	})
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(rw, r)
	})
}

func (w *Witness) addCheckpoint(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxSubmission))
	if err != nil {
		status := http.StatusBadRequest
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(rw, "the body cannot be read", status)
		return
	}
	line, err := w.Add(body)
	if conflict, ok := errors.AsType[*ConflictError](err); ok {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", conflict.Size)
		return
	}
	if err != nil {
		status := statusOf(err)
		if status == http.StatusInternalServerError {
			w.cfg.Logger.ErrorContext(r.Context(), "a checkpoint could not be cosigned", "cause", err)
		}
		http.Error(rw, err.Error(), status)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Write(line)
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrUnknownLog):
		return http.StatusNotFound
	case errors.Is(err, ErrUnsigned):
		return http.StatusForbidden
	case errors.Is(err, ErrOld), errors.Is(err, errSubmission):
		return http.StatusBadRequest
	case errors.Is(err, ErrInconsistent):
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}
