package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"

	"github.com/sealstream/sealstream/internal/sse"
	"github.com/sealstream/sealstream/pkg/proof"
)

// What a stream may send before the proof of it (SPEC 8.1).
const (
	maxUnproven      = 256
	maxUnprovenBytes = 256 << 20
)

// Follow yields the entries that a filter selects, from FromIndex on, and then new ones. It yields
// each entry once, in the order of the log. It reconnects whenever the stream breaks. It ends when
// ctx is done, or with the first error that a retry cannot solve. To begin at the end of the log,
// set FromIndex to the Size of the result of Checkpoint.
//
// The client verifies the proof of each entry before it yields the entry. If the filter selects all
// entries, a missing one is ErrGap. Otherwise the server could leave out matches, as in Entries.
// The client cannot distinguish a server that sends nothing from a log without new entries.
func (c *Client) Follow(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		ctx, cancel := c.bound(ctx)
		defer cancel()
		x, err := c.following(ctx, f, yield)
		if err == nil {
			err = c.keepOn(ctx, "/v1/stream", func() (bool, error) {
				before := x.next
				err := x.once(ctx)
				return x.next > before, err
			})
		}
		if err != nil {
			yield(Entry{}, fmt.Errorf("follow: %w", err))
		}
	}
}

// following is one run of Follow.
type following struct {
	client *Client
	filter Filter
	yield  func(Entry, error) bool
	next   uint64 // index behind the last entry that was yielded
	least  uint64 // size that was seen before this stream began

	lines []json.RawMessage // that no proof has come for
	bytes int
}

func (c *Client) following(ctx context.Context, f Filter, yield func(Entry, error) bool) (x *following, err error) {
	x = &following{client: c, filter: f, yield: yield, next: f.FromIndex}
	if _, err = c.trusted(ctx); err != nil {
		return nil, err
	}
	if x.filter.Filter, err = f.Filter.Normal(); err != nil {
		return nil, err
	}
	if f.Newest || f.Before != 0 || f.Limit != 0 {
		return nil, errors.New("filter: Newest, Before and Limit are for Entries")
	}
	return x, nil
}

// once reads one stream to its end, which is always an error.
func (x *following) once(ctx context.Context) error {
	x.lines, x.bytes, x.least = nil, 0, x.client.head.size()
	q := x.filter.Values()
	q.Set("proof", "1")
	q.Set("from_index", strconv.FormatUint(x.next, 10))
	err := x.client.api.stream(ctx, x.client.server(), "/v1/stream", q, func(e sse.Event) error { return x.event(ctx, e) })
	if status, ok := errors.AsType[*statusError](err); ok && status.status == http.StatusBadRequest &&
		status.problem.Parameter == "from_index" && x.next <= x.least {
		return fmt.Errorf("%w: %s", errBehind, status)
	}
	return err
}

func (x *following) event(ctx context.Context, e sse.Event) error {
	switch e.Name {
	case "":
		x.lines, x.bytes = append(x.lines, bytes.Clone(e.Data)), x.bytes+len(e.Data)
		if len(x.lines) > maxUnproven || x.bytes > maxUnprovenBytes {
			return fmt.Errorf("%w: %d entries come without a proof", ErrProof, len(x.lines))
		}
		return nil
	case "proof":
		return x.proof(ctx, e.Data)
	}
	return nil // of a newer server
}

// proof takes the proof of the entries that have come, and yields them.
func (x *following) proof(ctx context.Context, batch json.RawMessage) error {
	keys, err := x.client.trusted(ctx) // the log may have announced another one meanwhile
	if err != nil {
		return err
	}
	p := page{Entries: x.lines, Proof: batch}
	var entries []Entry
	var cp proof.Checkpoint
	err = x.client.signed(ctx, keys, func(keys *proof.Verifier) (err error) {
		entries, cp, err = provePage(p, keys, x.client.cfg.Log, &x.filter)
		return err
	})
	if err != nil {
		return err
	}
	if err := behind(cp.Size, x.least); err != nil {
		return err
	}
	if err := x.client.head.see(ctx, cp); err != nil {
		return err
	}
	x.lines, x.bytes = nil, 0
	all := x.filter.all()
	for i := range entries {
		switch at := entries[i].Index; {
		case at < x.next:
			return fmt.Errorf("%w: index %d comes again, or out of order", ErrProof, at)
		case all && at > x.next:
			return fmt.Errorf("%w: index %d is next, the server shows %d", ErrGap, x.next, at)
		}
		if !x.yield(entries[i], nil) {
			return errStop
		}
		x.next = entries[i].Index + 1
	}
	return nil
}
