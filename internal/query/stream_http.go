package query

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/pkg/api"
)

// getStream serves server-sent events: the entries that the filters match, from Last-Event-ID or
// from_index on, or otherwise new entries only.
func (q *Query) getStream(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	filter, from, param, proved := p.Filter(), indexParam(p, "from_index"), "from_index", p.Flag("proof")
	last, err := lastEventID(r.Header)
	if err == nil {
		err = p.End()
	}
	if err != nil {
		return err
	}
	if last != nil { // a browser that reconnects repeats the first address and adds this header
		from, param = new(*last+1), "Last-Event-ID"
	}
	if filter, err = filter.Normal(); err != nil {
		return err
	}
	snap, _, err := q.view(r.Context(), api.Filter{})
	if err != nil {
		return err
	}
	if from == nil {
		from = &snap.size
	} else if err := q.checkPosition(r.Context(), param, *from); err != nil {
		return err
	}
	leave, err := q.enter()
	if err != nil {
		return err
	}
	defer leave()
	s := httpapi.NewStream(w, q.cfg.StreamStall)
	if r.Method == http.MethodHead {
		return nil
	}
	defer s.Close()
	if err := s.Retry(); err == nil {
		err = q.stream(r.Context(), filter, *from, proved, s.Send, s.Idle)
		q.endOfStream(r, s, err)
	}
	return nil
}

// endOfStream tells the client, if it still can, why the stream ends: a log that fails to verify
// must not look like a quiet one.
func (q *Query) endOfStream(r *http.Request, s *httpapi.Stream, err error) {
	switch {
	case s.Stalled():
		q.streams.dropped.Add(1)
		q.logger.InfoContext(r.Context(), "query drops a stream: its client does not read", "path", r.URL.Path)
	case s.Broken(), errors.Is(err, errEnded), errors.Is(err, context.Canceled):
	default:
		p := problemOf(err)
		if m, ok := errors.AsType[*audit.MismatchError](err); ok && p.Status != http.StatusInternalServerError {
			p = api.Problem{
				Status: http.StatusInternalServerError,
				Detail: "the log does not verify: " + m.Error(),
				Index:  &m.Index,
			}
		}
		if p.Status >= 500 && !isTemporary(err) {
			q.logger.ErrorContext(r.Context(), "query ends a stream after an error", "path", r.URL.Path, "status", p.Status,
				"cause", err)
		}
		b, _ := json.Marshal(p.Complete()) // cannot fail for strings and numbers
		s.Send([][]byte{httpapi.AppendEvent(nil, "", "problem", b)})
	}
}
