package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// store writes one group and returns its sequence. An append without an answer may have succeeded:
// store looks for the group and sends it again only if it is missing. If it turns up after that,
// EVENTS has it twice, and the sealer treats the later one as the repeat that it is.
func (in *Ingest) store(ctx context.Context, body []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, in.cfg.StoreTimeout)
	defer cancel()
	m := entry.Message{Subject: in.subject, Data: body}
	for pauses := retry.New(10*time.Millisecond, 500*time.Millisecond); ; {
		// leaves time to look for the group and to send it again
		try, done := context.WithTimeout(ctx, in.cfg.StoreTimeout/3)
		seq, err := in.cfg.Log.Events.Append(try, m, nil)
		done()
		switch {
		case err == nil:
			return in.stored(seq), nil
		case errors.Is(err, store.ErrFull):
			in.trouble.Store(&trouble{err.Error(), time.Now().Add(troubleTTL)})
			return 0, fmt.Errorf("%w: %w", ErrFull, err)
		case !in.pause(ctx, pauses, "a group of events was not acknowledged", err):
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

// find looks for a group that this ingest has sent. It is the newest message on the ingest's own
// subject, if that is newer than all known ones and has the same digest. find retries until ctx is
// done.
func (in *Ingest) find(ctx context.Context, m entry.Message) (seq uint64, found bool, err error) {
	digest := m.Digest()
	for pauses := retry.New(10*time.Millisecond, 500*time.Millisecond); ; {
		last, err := in.cfg.Log.Events.Last(ctx, m.Subject)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return 0, false, nil
		case err == nil:
			return last.Seq, last.Seq > in.last && last.Digest() == digest, nil
		case !in.pause(ctx, pauses, "EVENTS cannot be read", err):
			return 0, false, err
		}
	}
}

// room calls Config.Room before anything of a group is sent, so that a refusal is certain.
func (in *Ingest) room(bytes int) error {
	if in.cfg.Room == nil {
		return nil
	}
	if err := in.cfg.Room(bytes); err != nil {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return nil
}
