package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/sse"
	"github.com/sealstream/sealstream/pkg/api"
)

// Unverified reads from a server and verifies nothing. It needs no key.
type Unverified struct{ client *Client }

// Unverified returns a reader that verifies nothing. Use it for answers that have no proof, or for
// a server that you trust.
func (c *Client) Unverified() Unverified { return Unverified{c} }

// UnverifiedEntry is an entry as the server shows it.
type UnverifiedEntry struct {
	Index uint64
	JSON  json.RawMessage // the members of the leaf, entry_hash, and the data
}

// Get sends one GET request to a path of the API, and decodes the JSON of the answer into v. If v
// is a *[]byte, it receives the bytes of the answer. There is no limit to the size of the answer.
func (u Unverified) Get(ctx context.Context, path string, query url.Values, v any) error {
	resp, err := u.Open(ctx, path, query)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if p, ok := v.(*[]byte); ok {
		*p, err = io.ReadAll(resp.Body)
	} else {
		err = json.NewDecoder(resp.Body).Decode(v)
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// Post sends one POST request to a path of the API, and decodes the JSON of the answer into v.
func (u Unverified) Post(
	ctx context.Context,
	path string,
	query url.Values,
	contentType string,
	body []byte,
	v any,
) error {
	raw, err := u.client.api.try(ctx, http.MethodPost, u.client.server(), path, query, contentType, body, maxPage)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	return nil
}

// Open sends one GET request to a path of the API. Any status other than 200 is an error. The
// caller must close the body. Reading it fails if the server sends nothing for a minute.
func (u Unverified) Open(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	resp, err := u.client.api.open(ctx, u.client.server(), path, query, "", 0)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	return resp, nil
}

// Export writes the entries that a filter selects to w. The format is jsonl, json, cloudevents,
// cloudevents-jsonl or csv.
func (u Unverified) Export(ctx context.Context, w io.Writer, format string, f api.Filter) error {
	q := f.Values()
	q.Set("format", format)
	body, err := u.client.api.export(ctx, u.client.server(), q)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// Entries yields the entries that the server says match, in the filter's order.
func (u Unverified) Entries(ctx context.Context, f Filter) iter.Seq2[UnverifiedEntry, error] {
	return func(yield func(UnverifiedEntry, error) bool) {
		w := &walk{client: u.client, filter: f, limit: pageLimit}
		if f.Limit > 0 {
			w.limit = min(f.Limit, pageLimit)
		}
		for n := 0; ; {
			q := w.query()
			q.Del("proof")
			q.Del("size")
			if w.cursor != "" {
				q.Del("from_index")
				q.Del("before_index")
				q.Set("cursor", w.cursor)
			}
			var p api.Page
			raw, err := u.client.api.persistUpTo(ctx, u.client.server(), "/v1/entries", q, maxPage)
			if errors.Is(err, errLong) && w.limit > 1 {
				w.limit = max(w.limit/4, 1)
				continue
			}
			if err == nil {
				err = json.Unmarshal(raw, &p)
			}
			if err == nil && len(p.Entries) == 0 && p.NextCursor != nil {
				err = fmt.Errorf("%w: an empty page is not the last one", ErrProof)
			}
			if err != nil {
				yield(UnverifiedEntry{}, fmt.Errorf("read entries: %w", err))
				return
			}
			for i := range p.Entries {
				if f.Newest {
					i = len(p.Entries) - 1 - i
				}
				e, err := unverified(p.Entries[i])
				if n++; !yield(e, err) || err != nil || n == f.Limit {
					return
				}
			}
			if p.NextCursor == nil {
				return
			}
			w.cursor = *p.NextCursor
		}
	}
}

// unverified takes the index out of an entry.
func unverified(raw json.RawMessage) (UnverifiedEntry, error) {
	var at struct{ Index uint64 }
	if err := json.Unmarshal(raw, &at); err != nil {
		return UnverifiedEntry{}, fmt.Errorf("read entry: %w", err)
	}
	return UnverifiedEntry{at.Index, raw}, nil
}

// Follow yields the entries that the server says match, from FromIndex on, and then new ones. It
// reconnects whenever the stream breaks, and ends when ctx is done.
func (u Unverified) Follow(ctx context.Context, f Filter) iter.Seq2[UnverifiedEntry, error] {
	return func(yield func(UnverifiedEntry, error) bool) {
		next, began := f.FromIndex, false
		err := u.client.keepOn(ctx, "/v1/stream", func() (bool, error) {
			before, q := next, f.Filter.Values()
			q.Set("from_index", strconv.FormatUint(next, 10))
			err := u.client.api.stream(ctx, u.client.server(), "/v1/stream", q, func(e sse.Event) error {
				index, err := strconv.ParseUint(e.ID, 10, 64)
				if err != nil || e.Name != "" || began && index < next {
					return nil // of a newer server, or shown before
				}
				if !yield(UnverifiedEntry{index, bytes.Clone(e.Data)}, nil) {
					return errStop
				}
				next, began = index+1, true
				return nil
			})
			return next > before, err
		})
		if err != nil {
			yield(UnverifiedEntry{}, fmt.Errorf("follow: %w", err))
		}
	}
}

// Problem returns the problem document (RFC 9457) of an error of this package. Its Status is 0 if
// the error does not come from an answer of a server.
func Problem(err error) api.Problem {
	s, ok := errors.AsType[*statusError](err)
	if !ok {
		return api.Problem{}
	}
	p := s.problem
	if p.Status = s.status; strings.TrimSpace(p.Title+p.Detail) == "" {
		p.Detail = http.StatusText(s.status)
	}
	return p
}
