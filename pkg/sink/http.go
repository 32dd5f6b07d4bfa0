package sink

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

	"github.com/sealstream/sealstream/pkg/entry"
)

// ReplayName is the attribute sealreplay of what sinks send on.
const ReplayName = "sink"

// Bounds of one request, which the receivers of CloudEvents batches mostly take.
const (
	httpEvents = 256
	httpBytes  = 1 << 20
)

// HTTP is the scheme of `http://` and `https://` URLs: entries are posted as CloudEvents batches, each event as a replay (SPEC 11), so that no log
// takes one for an event that happens now. An answer of 2xx acknowledges a batch, and nothing else does. Parameters other than
//
//	token_file=F    a bearer token
//
// belong to the URL that is posted to. The events are sent at least once; sealindex and sealhash tell repeats.
func HTTP(u *url.URL, p *Params) (Open, error) {
	if u.Host == "" {
		return nil, errors.New("it names no host")
	}
	token, to := "", *u
	if path := p.Text("token_file", ""); path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("token_file: %w", err)
		}
		if token = strings.TrimSpace(string(b)); token == "" {
			return nil, fmt.Errorf("token_file: %s is empty", path)
		}
	}
	to.RawQuery = p.Rest().Encode()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // data goes where it was told to go
	post := &poster{client, to.String(), token}
	return func(context.Context) (Sink, error) {
		return NewOutlet(post.write, func() error { client.CloseIdleConnections(); return nil }), nil
	}, nil
}

type poster struct {
	client *http.Client
	url    string
	token  string
}

func (h *poster) write(ctx context.Context, records []Record) error {
	body, n := []byte{'['}, 0
	for i := range records {
		text, err := entry.Replay(records[i].Entry, records[i].Payload, ReplayName)
		if err != nil {
			return Part(i-n, fmt.Errorf("index %d: %w", records[i].Entry.Index, err))
		}
		if n > 0 && (n == httpEvents || len(body)+len(text) > httpBytes) {
			if err := h.post(ctx, append(body, ']')); err != nil {
				return Part(i-n, err)
			}
			body, n = []byte{'['}, 0
		}
		if n > 0 {
			body = append(body, ',')
		}
		body = append(body, text...)
		n++
	}
	return Part(len(records)-n, h.post(ctx, append(body, ']')))
}

func (h *poster) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/cloudevents-batch+json; charset=UTF-8")
	req.Header.Set("User-Agent", "sealstream")
	if h.token != "" {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	res, err := h.client.Do(req)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) { // it repeats the URL, and what secrets that has
			err = e.Err
		}
		return fmt.Errorf("post to %s: %w", req.URL.Host, err)
	}
	defer res.Body.Close()
	why, _ := io.ReadAll(io.LimitReader(res.Body, 200))
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("post to %s: %s: %q", req.URL.Host, res.Status, why)
	}
	return nil
}
