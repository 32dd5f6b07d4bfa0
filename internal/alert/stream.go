package alert

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

const (
	streamInterval = 15 * time.Second // interval of heartbeats on an idle stream
	maxStreams     = 1024             // each stream has a consumer on ALERTS
	// time after which a client that does not read is disconnected
	streamStall = 10 * time.Second
)

var (
	errEnding  = errors.New("the service is being stopped")
	errCrowded = errors.New("too many streams are open")
)

// stream sends alerts as they come. The id of each event is its ALERTS sequence, so a client that
// reconnects continues after the last one it got.
func (a *Alerter) stream(w http.ResponseWriter, r *http.Request) {
	f, at, err := a.streamParams(r)
	if err == nil {
		if n := a.openStreams.Add(1); n > maxStreams {
			err = fmt.Errorf("%w: %d", errCrowded, maxStreams)
		}
		defer a.openStreams.Add(-1)
	}
	if err != nil {
		fail(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-a.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	reader, err := a.openAt(ctx, at)
	if err != nil {
		fail(w, err)
		return
	}
	defer reader.Close()
	out := httpapi.NewStream(w, streamStall)
	if r.Method == http.MethodHead {
		return // an endless stream without a body would hold the connection
	}
	defer out.Close()
	events(ctx, out, reader, f)
}

// position is where a stream starts.
type position struct {
	after *uint64 // ALERTS sequence; nil: at the end of ALERTS
	param string  // that says so
}

// streamParams reads the parameters of a stream. It fails with errEnding once no stream may start.
func (a *Alerter) streamParams(r *http.Request) (f Filter, at position, err error) {
	p := httpapi.ParseParams(r)
	err = a.checkLog(p)
	at.param = "after"
	f, at.after = filterOf(p)
	f.who = a.sightOf(r.Context())
	if err == nil {
		err = p.End()
	}
	if last := r.Header.Values("Last-Event-ID"); err == nil && len(last) > 0 {
		at.param = "Last-Event-ID"
		at.after, err = lastEventID(last)
	}
	select {
	case <-a.ended:
		if err == nil {
			err = errEnding
		}
	default:
	}
	return f, at, err
}

// openAt reads ALERTS from a position on.
func (a *Alerter) openAt(ctx context.Context, at position) (store.Reader, error) {
	info, err := a.cfg.Log.Alerts.Info(ctx)
	if err != nil {
		return nil, err
	}
	from := info.Last + 1
	if at.after != nil {
		if err := checkPosition(at.param, *at.after, info.Last); err != nil {
			return nil, err
		}
		from = *at.after + 1
	}
	return a.cfg.Log.Alerts.Read(ctx, from)
}

// lastEventID reads the header of a client that reconnects.
func lastEventID(values []string) (*uint64, error) {
	p := httpapi.ParseQuery(url.Values{"Last-Event-ID": values}.Encode())
	n := sequence(p, "Last-Event-ID")
	return n, p.Err()
}

// events writes events until the client disconnects or does not read.
func events(ctx context.Context, out *httpapi.Stream, reader store.Reader, f Filter) {
	messages := []entry.Message(nil)
	for {
		var list [][]byte
		for _, m := range messages {
			x, err := Parse(m)
			if err != nil || !f.matches(&x) {
				continue
			}
			f.who.show(&x)
			if body, err := x.MarshalJSON(); err == nil {
				list = append(list, httpapi.AppendEvent(nil, strconv.FormatUint(m.Seq, 10), "alert", body))
			}
		}
		var err error
		if len(messages) == 0 {
			err = out.Idle()
		} else {
			err = out.Send(list)
		}
		if err != nil || ctx.Err() != nil {
			return
		}
		wait, cancel := context.WithTimeout(ctx, streamInterval)
		messages, err = reader.Next(wait, 64)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
}
