// Package stdoutsink writes the entries of a log to a stream of bytes, a line of JSON each.
package stdoutsink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync/atomic"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Scheme is the scheme of `stdout:`. Each entry is a line of JSON, as the API shows it, with its
// members in the order of their names. Nothing is held back. A reader that does not read, or is
// gone, is an error of Write, and the lines come when there is one again.
func Scheme(w io.Writer) sink.Scheme {
	return func(u *url.URL, p *sink.Params) (sink.Open, error) {
		if u.Host != "" || u.Path != "" || u.Opaque != "" {
			return nil, errors.New("stdout takes no host and no path")
		}
		out := &lineOutlet{w: w, turn: make(chan struct{}, 1)}
		return func(context.Context) (sink.Sink, error) { return sink.NewOutlet(out.write, nil), nil }, nil
	}
}

// lineOutlet writes lines to a writer that may block for as long as its reader likes.
type lineOutlet struct {
	w    io.Writer
	turn chan struct{} // full while a write is under way, also one that nobody waits for any more
	torn bool          // the last write ended within a line; whoever has the turn may use it
}

// linePiece is about how much is written at once. What was written when a write is given up is
// known to so many bytes, and does not come again.
const linePiece = 4 << 10

var errUnread = errors.New("the reader of standard output does not read")

func (o *lineOutlet) write(ctx context.Context, records []sink.Record) error {
	var text bytes.Buffer
	ends := make([]int, len(records))
	for i := range records {
		if err := appendShown(&text, &records[i]); err != nil {
			return err
		}
		ends[i] = text.Len()
	}
	select {
	case o.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errUnread, ctx.Err())
	}
	var taken atomic.Int64
	done := make(chan error, 1)
	go func() {
		defer func() { <-o.turn }()
		done <- o.lines(ctx, text.Bytes(), ends, &taken)
	}()
	select {
	case err := <-done:
		return sink.Part(int(taken.Load()), err)
	case <-ctx.Done():
		return sink.Part(int(taken.Load()), fmt.Errorf("%w: %w", errUnread, ctx.Err()))
	}
}

// lines writes whole lines, a few at a time, and counts them.
func (o *lineOutlet) lines(ctx context.Context, text []byte, ends []int, taken *atomic.Int64) error {
	for begin, i := 0, 0; i < len(ends); {
		for i < len(ends)-1 && ends[i]-begin < linePiece {
			i++
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		piece := text[begin:ends[i]]
		if o.torn {
			piece = append([]byte("\n"), piece...)
		}
		n, err := o.w.Write(piece)
		if n > 0 {
			o.torn = piece[n-1] != '\n'
		}
		if err != nil {
			return err
		}
		begin = ends[i]
		i++
		taken.Store(int64(i))
	}
	return nil
}

// appendShown writes an entry as the API shows it, and a line feed.
func appendShown(dst *bytes.Buffer, r *sink.Record) error {
	bare, err := r.Entry.MarshalJSON()
	if err != nil {
		return err
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(bare))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return err
	}
	if p := r.Payload; p != nil && p.HasData() {
		switch {
		case r.Entry.EventType != entry.TypeRejected && ruleset.IsJSON(r.Entry.Extensions["datacontenttype"]) &&
			canonical.CheckJSON(p.Data, ruleset.MaxDepth) == nil:
			members["data"] = json.RawMessage(p.Data)
		case canonical.IsText(p.Data):
			members["data"] = string(p.Data)
		default:
			members["data_base64"] = p.Data
		}
	}
	e := json.NewEncoder(dst)
	e.SetEscapeHTML(false)
	return e.Encode(members)
}
