// Package online lets compliance ask a running log. The proofs come with the entries.
package online

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/compliance"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Source is a compliance.Source that reads by a client. What the client can verify is verified. The
// client needs the keys of the verifier, and Config.FailFast unless errors are to be retried.
type Source struct{ Client *client.Client }

// Checkpoint implements compliance.Source.
func (s Source) Checkpoint(ctx context.Context) ([]byte, error) {
	cp, err := s.Client.Checkpoint(ctx)
	return cp.Note, asSource(err)
}

// Counts implements compliance.Source.
func (s Source) Counts(
	ctx context.Context,
	f api.Filter,
	w compliance.Window,
	size uint64,
	top int,
) (c api.Counts, err error) {
	q := w.Of(f).Values()
	q.Set("size", strconv.FormatUint(size, 10))
	q.Set("top", strconv.Itoa(top))
	if err := s.Client.Unverified().Get(ctx, "/v1/counts", q, &c); err != nil {
		return c, asSource(err)
	}
	if c.TreeSize != size || c.Matches > size || len(c.Top) > top {
		return c, fmt.Errorf("%w: it counts %d of %d entries, asked for %d", compliance.ErrSource, c.Matches, c.TreeSize,
			size)
	}
	return c, nil
}

// Find implements compliance.Source.
func (s Source) Find(
	ctx context.Context,
	f api.Filter,
	w compliance.Window,
	size uint64,
	from *uint64,
	limit int,
) ([]compliance.Found, error) {
	filter := client.Filter{Filter: w.Of(f), Newest: from == nil}
	if from != nil {
		filter.FromIndex = *from
	}
	var list []compliance.Found
	for len(list) < limit && filter.FromIndex < size {
		filter.Limit = limit - len(list)
		page, err := s.Client.PageAt(ctx, filter, size)
		if err != nil {
			return nil, asSource(err)
		}
		found := foundOn(page)
		if filter.Newest {
			list = append(found, list...)
		} else {
			list = append(list, found...)
		}
		if !page.More || len(found) == 0 || filter.Newest && list[0].Index == 0 {
			break
		}
		if filter.FromIndex = list[len(list)-1].Index + 1; filter.Newest {
			filter.FromIndex, filter.Before = 0, list[0].Index
		}
	}
	return list, nil
}

func foundOn(page client.Page) []compliance.Found {
	list := make([]compliance.Found, len(page.Entries))
	for i, e := range page.Entries {
		list[i] = compliance.Found{Entry: e.Entry, Path: func() (proof.Path, error) { return page.Path(e.Index) }}
	}
	return list
}

// Health implements compliance.Source.
func (s Source) Health(ctx context.Context) (stats api.Stats, err error) {
	return stats, asSource(s.Client.Unverified().Get(ctx, "/v1/stats", nil, &stats))
}

// asSource tells an error of the answer from none.
func asSource(err error) error {
	if err == nil {
		return nil
	}
	_, unreached := errors.AsType[*url.Error](err)
	switch client.Problem(err).Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		unreached = true
	}
	if unreached || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w: %w", compliance.ErrSource, compliance.ErrNoAnswer, err)
	}
	return fmt.Errorf("%w: %w", compliance.ErrSource, err)
}
