package query

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/sealstream/sealstream/pkg/api"
)

// catchUpTimeout is how long a request waits for a position that this service has not reached.
// Another replica may have shown it to the client.
const catchUpTimeout = 2 * time.Second

// checkPosition checks that a position, an index or a size, is in the log or at its end. A client
// that names one beyond would miss the entries up to there.
func (q *Query) checkPosition(ctx context.Context, param string, position uint64) error {
	if q.sizeNow() >= position {
		return nil
	}
	if _, _, err := q.view(ctx, api.Filter{}); err != nil {
		return err
	}
	if err := q.catchUp(ctx); err != nil {
		return err
	}
	size := q.sizeNow()
	if size >= position {
		return nil
	}
	return beyond(param, size)
}

func beyond(param string, size uint64) error {
	return &api.ParamError{Param: param, Reason: fmt.Sprintf("is beyond the end: the log has %d entries", size)}
}

func (q *Query) sizeNow() uint64 {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.index.size
}

// checkPage checks the positions of a page. Another replica may have served the pages before.
func (q *Query) checkPage(ctx context.Context, p Page) error {
	err := q.checkPosition(ctx, "from_index", p.From)
	if err == nil {
		err = q.checkPosition(ctx, "before_index", p.Before)
	}
	if err == nil {
		err = q.checkPosition(ctx, "size", p.Size)
	}
	if err == nil && p.Cursor != "" {
		err = q.checkPosition(ctx, "cursor", indexOfCursor(p.Cursor))
	}
	return err
}

// catchUp waits until the index has reached the current end of SEALED.
func (q *Query) catchUp(ctx context.Context) error {
	info, err := q.cfg.Log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	short, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	if err := q.wait(short, func() bool { return q.state.position >= info.Last }); err != nil {
		if ctx.Err() == nil && short.Err() != nil {
			return fmt.Errorf("%w: it has not reached SEALED sequence %d", ErrBehind, info.Last)
		}
		return err
	}
	return nil
}

// lastEventID reads the header of a client that reconnects. It returns nil if there is none.
func lastEventID(h http.Header) (*uint64, error) {
	const name = "Last-Event-ID"
	list := h.Values(name)
	switch {
	case len(list) == 0:
		return nil, nil
	case len(list) > 1:
		return nil, &api.ParamError{Param: name, Reason: "given more than once"}
	}
	last, err := strconv.ParseUint(list[0], 10, 53)
	if err != nil || strconv.FormatUint(last, 10) != list[0] {
		return nil, &api.ParamError{Param: name, Reason: "is not the id of an event"}
	}
	return &last, nil
}
