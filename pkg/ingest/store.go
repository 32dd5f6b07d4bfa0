package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// store writes one group and returns its sequence. An append without an answer may have been written: it is looked for, and
// only sent again where it is not. Should it turn up after that, both are in EVENTS, and the sealer takes the later one for the repeat
// that it is.
func (in *Ingest) store(ctx context.Context, body []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, in.cfg.Patience)
	defer cancel()
	m := entry.Message{Subject: in.subject, Data: body}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		try, done := context.WithTimeout(ctx, in.cfg.Patience/3) // so that there is time left to look for it, and to send it again
		seq, err := in.cfg.Log.Events.Append(try, m, nil)
		done()
		switch {
		case err == nil:
			return in.stored(seq), nil
		case errors.Is(err, store.ErrFull):
			in.trouble.Store(&trouble{err.Error(), time.Now().Add(troubleLasts)})
			return 0, fmt.Errorf("%w: %w", ErrFull, err)
		case !in.pause(ctx, wait, "a group of events was not acknowledged", err):
			return 0, fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		seq, found, lookErr := in.find(ctx, m)
		switch {
		case lookErr != nil:
			return 0, fmt.Errorf("%w: %w", ErrUnknown, err)
		case found:
			return in.stored(seq), nil
		}
	}
}

func (in *Ingest) stored(seq uint64) uint64 {
	in.last = max(in.last, seq)
	if in.trouble.Load() != nil {
		in.trouble.Store(nil)
	}
	return seq
}

// find looks for a group that this ingest has sent: the newest message on its own subject, if it came after all that is known and has the
// same digest. A reader that does not answer is asked again until ctx is done.
func (in *Ingest) find(ctx context.Context, m entry.Message) (seq uint64, found bool, err error) {
	digest := m.Digest()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		last, err := in.cfg.Log.Events.Last(ctx, m.Subject)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return 0, false, nil
		case err == nil:
			return last.Seq, last.Seq > in.last && last.Digest() == digest, nil
		case !in.pause(ctx, wait, "EVENTS cannot be read", err):
			return 0, false, err
		}
	}
}
