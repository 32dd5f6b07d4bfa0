package query

import (
	"net/http"
	"time"
)

// reading answers a request with a share of the budget for reads.
func (q *Query) reading(
	w http.ResponseWriter,
	r *http.Request,
	cost int64,
	answer func(http.ResponseWriter, *http.Request) error,
) error {
	if cost == 0 {
		return answer(w, r)
	}
	share, err := q.reads.take(r.Context(), cost, false)
	if err != nil {
		return err
	}
	defer share.leave()
	out := &reply{ResponseWriter: w, control: http.NewResponseController(w), share: share}
	defer out.end()
	return answer(out, r.WithContext(share.with(r.Context())))
}

// Budgeted serves a handler of another package that reads from this service. A request takes as
// much of the budget for reads as a page.
func (q *Query) Budgeted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := q.reading(w, r, pageCost, func(w http.ResponseWriter, r *http.Request) error {
			h.ServeHTTP(w, r)
			return nil
		})
		if err != nil {
			q.fail(w, r, err)
		}
	})
}

// reply is the answer to a request that has a share of the budget. A client that reads too slowly
// loses its connection, so that it does not keep the share.
type reply struct {
	http.ResponseWriter
	control *http.ResponseController
	share   *lease
	limited bool // the connection has a deadline
}

// unlimited is the size of a write that needs no deadline: it fits into the buffers of the
// connection.
const unlimited = 32 << 10

func (r *reply) Write(b []byte) (int, error) {
	if len(b) > unlimited {
		r.limited = true
		// a ResponseWriter without deadlines has none
		_ = r.control.SetWriteDeadline(time.Now().Add(exportCredit + time.Duration(len(b))*time.Second/minExportRate))
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *reply) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// end prepares the connection for another request.
func (r *reply) end() {
	if r.limited {
		_ = r.control.SetWriteDeadline(time.Time{})
	}
}
