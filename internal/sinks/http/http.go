// Package httpsink posts the entries of a log to an HTTP endpoint, as CloudEvents batches.
package httpsink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/sealstream/sealstream/internal/outward"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Bounds of one request, which the receivers of CloudEvents batches mostly take.
const (
	httpEvents = 256
	httpBytes  = 1 << 20
)

// Scheme is the scheme of `http://` and `https://` URLs: entries are posted as CloudEvents batches,
// each event as a replay (SPEC 11), so that no log takes one for an event that happens now. An
// answer of 2xx acknowledges a batch, unless its body is JSON that says that something was refused
// (see complaint). Nothing else acknowledges, and redirects are not followed. A receiver that
// refuses a batch (not with 401, 429 or 503), breaks it off or does not come to its end in time
// gets fewer events a request, down to one. Parameters other than
//
//	token_file=F      a bearer token, which is read again whenever the sink is opened
//	allow_http=yes    send the token, or the URL's password, over http beyond the loopback, where
//	                  everyone on the way reads it
//
// belong to the URL that is posted to. The events are sent at least once; sealindex and sealhash
// tell repeats.
func Scheme(u *url.URL, p *sink.Params) (sink.Open, error) {
	if u.Host == "" {
		return nil, errors.New("it names no host")
	}
	to, path, clear := *u, p.Text("token_file", ""), p.OneOf("allow_http", "no", "yes") == "yes"
	if (path != "" || u.User != nil) && u.Scheme == "http" && !clear && !outward.IsLoopback(u.Hostname()) {
		return nil, errors.New(
			"http is for the loopback alone where a token or password is sent; everyone on the way would read it (use https," +
				" or allow_http=yes)",
		)
	}
	if _, err := readToken(path); err != nil {
		return nil, err
	}
	to.RawQuery = p.Rest().Encode()
	h := &poster{url: to.String(), fit: fit{events: httpEvents, bytes: httpBytes}, client: &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		// data goes where it was told to go
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return func(context.Context) (_ sink.Sink, err error) {
		if h.token, err = readToken(path); err != nil {
			return nil, err
		}
		return sink.NewOutlet(h.write, func() error { h.client.CloseIdleConnections(); return nil }), nil
	}, nil
}

// readToken reads a token file; "" is none.
func readToken(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("token_file: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("token_file: %s is empty", path)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("token_file: %s holds more than one token", path)
	}
	return token, nil
}

// fit is how much the receiver takes in one request, as far as is known. It outlives the sink,
// which is opened anew after each error.
type fit struct {
	events, bytes int
	good, hold    int // requests taken since, and how many must be before more is tried
}

// shrink halves what a request may have, after one of so many events and bytes was refused. For its
// size, that will stay so: then more is tried ever more rarely.
func (f *fit) shrink(events, bytes int, size bool) {
	f.events, f.bytes, f.good = max(events/2, 1), max(bytes/2, 1), 0
	if size {
		f.hold = min(2*f.hold+1, 1000)
	}
}

// grow doubles it again after a while.
func (f *fit) grow() {
	if f.good++; f.good >= f.hold && (f.events < httpEvents || f.bytes < httpBytes) {
		f.events, f.bytes, f.good = min(2*f.events, httpEvents), min(2*f.bytes, httpBytes), 0
	}
}

type poster struct {
	client *http.Client
	url    string
	token  string
	fit    fit
}

// write posts records in as many requests as it takes. It is called by one goroutine at a time.
func (h *poster) write(ctx context.Context, records []sink.Record) error {
	var queue [][]byte // replays of the entries from done on, as far as they were needed
	for done := 0; done < len(records); {
		n, size := 0, 1
		for done+n < len(records) && n < h.fit.events {
			if n == len(queue) {
				text, err := records[done+n].Entry.Replay(records[done+n].Payload, sink.ReplayName)
				if err != nil && n == 0 {
					return sink.Part(done, fmt.Errorf("index %d: %w", records[done].Entry.Index, err))
				} else if err != nil {
					break
				}
				queue = append(queue, text)
			}
			if n > 0 && size+len(queue[n])+1 > h.fit.bytes {
				break
			}
			size += len(queue[n]) + 1
			n++
		}
		body := append(make([]byte, 0, size+1), '[')
		body = append(append(body, bytes.Join(queue[:n], []byte(","))...), ']')
		err := h.post(ctx, body)
		if err == nil {
			done, queue = done+n, queue[n:]
			h.fit.grow()
			continue
		}
		again := h.refit(ctx, err, n, size)
		if n > 1 && again {
			continue
		}
		if again {
			err = fmt.Errorf("index %d alone, in a request of %d bytes: %w", records[done].Entry.Index, size, err)
		}
		return sink.Part(done, err)
	}
	return nil
}

// refit makes the next requests smaller if that may be what is wrong. now: it is worth trying at
// once.
func (h *poster) refit(ctx context.Context, err error, events, bytes int) (now bool) {
	answer, answered := errors.AsType[*answerError](err)
	switch {
	case answered && answer.status/100 == 2: // it refused some of the events
		now = true
	case answered:
		switch status := answer.status; {
		case status == http.StatusGatewayTimeout, status == http.StatusRequestTimeout:
		case aboutCaller(status):
			return false
		default: // gateways and firewalls refuse a size with 403, 404 or 502, too
			now = true
		}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
	case errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF):
	default:
		return false
	}
	if events > 1 {
		h.fit.shrink(events, bytes, answered && answer.status == http.StatusRequestEntityTooLarge)
	}
	return now
}

// aboutCaller tells whether a status refuses the sender, the path or the moment, and thus requests
// of any size.
func aboutCaller(status int) bool {
	switch status {
	case http.StatusUnauthorized,
		http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired,
		http.StatusUnsupportedMediaType,
		http.StatusTooManyRequests,
		http.StatusServiceUnavailable:
		return true
	}
	return status/100 == 3
}

func (h *poster) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL cannot be posted to") // the error repeats the URL, and what secrets that has
	}
	req.Header.Set("Content-Type", "application/cloudevents-batch+json; charset=UTF-8")
	req.Header.Set("User-Agent", "sealstream")
	if h.token != "" {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	res, err := h.client.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok { // so does this one
		err = e.Err
	}
	if err == nil {
		defer res.Body.Close()
		err = judge(res, func(text string) string { return outward.Hide(text, h.url, h.token) })
	}
	if err != nil {
		return fmt.Errorf("post to %s: %w", req.URL.Host, err)
	}
	return nil
}
