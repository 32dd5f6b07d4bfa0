package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// Through is the log as if nothing had been trimmed: SEALED begins where the archive does, and what SEALED and PAYLOADS no longer have comes
// from there. All else is the log's own, writing too; only SEALED cannot be purged by it.
func (a *Archive) Through() *store.Log {
	log := *a.log
	log.Sealed = &sealed{a.log.Sealed, a}
	log.Payloads = &payloads{a.log.Payloads, a}
	return &log
}

// Through is a log of which nobody can tell what was trimmed: New(log).Through(), or the log itself if it has no archive.
func Through(log *store.Log) *store.Log {
	if log.Archive == nil {
		return log
	}
	return New(log).Through()
}

// Alone is the archived part of a log, from the archive and nothing else. Nothing can be added to it.
func (a *Archive) Alone(ctx context.Context) (*store.Log, error) {
	segments, err := a.Segments(ctx)
	if err != nil {
		return nil, err
	}
	end := uint64(0)
	if n := len(segments); n > 0 {
		end = segments[n-1].LastSeq
	}
	log := store.NewMemory(a.name)
	log.Archive = a.objects
	log.Sealed = &sealed{trimmed(ctx, end), a}
	log.Payloads = &payloads{trimmed(ctx, 0), a}
	return log, nil
}

// trimmed is a stream of which all up to a sequence is gone.
func trimmed(ctx context.Context, end uint64) *store.MemoryStream {
	if end == 0 {
		return store.NewMemoryStream()
	}
	s := store.NewMemoryStreamOf(time.Time{}, []entry.Message{{Seq: end}})
	s.PurgeBelow(ctx, end+1) // fails if ctx is done, as will all that follows
	return s
}

// sealed is SEALED read through to the archive.
type sealed struct {
	store.Stream
	a *Archive
}

var (
	_ store.Stream    = (*sealed)(nil)
	_ store.Fetcher   = (*sealed)(nil)
	_ store.Landmarks = (*sealed)(nil)
)

// Info implements store.Stream. Only a stream that was trimmed is looked for in the archive.
func (s *sealed) Info(ctx context.Context) (store.Info, error) {
	info, err := s.Stream.Info(ctx)
	if err != nil || info.First <= 1 {
		return info, err
	}
	list := s.a.known()
	if n := len(list); n == 0 || list[n-1].LastSeq+1 < info.First {
		if list, err = s.a.Segments(ctx); err != nil {
			return store.Info{}, fmt.Errorf("archive: %w", err)
		}
	}
	if len(list) > 0 {
		info.First = list[0].FirstSeq
	}
	return info, nil
}

// gone says whether a sequence is before what the stream still has.
func gone(ctx context.Context, s store.Stream, seq uint64) (bool, error) {
	info, err := s.Info(ctx)
	return err == nil && seq < info.First, err
}

// Get implements store.Stream.
func (s *sealed) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	m, err := s.Stream.Get(ctx, seq)
	if !errors.Is(err, store.ErrNotFound) {
		return m, err
	}
	return s.archived(ctx, seq, err)
}

// Fetch implements store.Fetcher.
func (s *sealed) Fetch(ctx context.Context, seq uint64) ([]byte, error) {
	body, err := store.Fetch(ctx, s.Stream, seq)
	if !errors.Is(err, store.ErrNotFound) {
		return body, err
	}
	m, err := s.archived(ctx, seq, err)
	return bytes.Clone(m.Data), err // which is kept: a part of a frame would keep the whole of it
}

// archived reads a message that is not in the stream, or gives notFound back.
func (s *sealed) archived(ctx context.Context, seq uint64, notFound error) (entry.Message, error) {
	trimmed, err := gone(ctx, s.Stream, seq)
	if err != nil {
		return entry.Message{}, err
	}
	if !trimmed {
		return entry.Message{}, notFound
	}
	list, err := s.a.trimmedFrom(ctx, seq)
	if err != nil {
		return entry.Message{}, err
	}
	if len(list) == 0 {
		return entry.Message{}, notFound
	}
	return list[0], nil
}

// Landmarks implements store.Landmarks: the last batch of each segment.
func (s *sealed) Landmarks(context.Context) ([]store.At, error) {
	segments := s.a.known()
	list := make([]store.At, len(segments))
	for i, g := range segments {
		list[i] = store.At{Seq: g.LastSeq, Batch: g.last()}
	}
	return list, nil
}

// Read implements store.Stream.
func (s *sealed) Read(ctx context.Context, from uint64) (store.Reader, error) {
	return &reader{s: s, next: max(from, 1)}, ctx.Err()
}

// reader reads SEALED, and from the archive what was trimmed of it, even if that happens while it reads.
type reader struct {
	s    *sealed
	next uint64          // sequence
	live store.Reader    // nil until the archive is read to its end
	held []entry.Message // read from SEALED, behind what must come from the archive first
}

var _ store.Reopener = (*reader)(nil)

// Reopened implements store.Reopener.
func (r *reader) Reopened() int {
	if o, ok := r.live.(store.Reopener); ok {
		return o.Reopened()
	}
	return 0
}

// Close implements store.Reader.
func (r *reader) Close() {
	if r.live != nil {
		r.live.Close()
	}
}

// Next implements store.Reader.
func (r *reader) Next(ctx context.Context, limit int) ([]entry.Message, error) {
	if r.live == nil {
		list, err := r.archived(ctx, limit, 0)
		if err != nil || len(list) > 0 {
			return list, err
		}
		if r.live, err = r.s.Stream.Read(ctx, r.next); err != nil {
			return nil, err
		}
	}
	if len(r.held) == 0 {
		var err error
		if r.held, err = r.live.Next(ctx, limit); err != nil {
			return nil, err
		}
	}
	if first := r.held[0].Seq; first > r.next { // trimmed since the reader was made, or lost
		list, err := r.archived(ctx, limit, first)
		if err != nil || len(list) > 0 {
			return list, err
		}
	}
	n := 1
	for n < min(len(r.held), limit) && r.held[n].Seq == r.held[n-1].Seq+1 {
		n++
	}
	list := r.held[:n:n]
	r.held, r.next = r.held[n:], list[n-1].Seq+1
	return list, nil
}

// archived reads on in the archive, up to a sequence if that is not 0. It gives nothing where SEALED has the next message, or the
// archive does not.
func (r *reader) archived(ctx context.Context, limit int, before uint64) ([]entry.Message, error) {
	if trimmed, err := gone(ctx, r.s.Stream, r.next); err != nil || !trimmed {
		return nil, err
	}
	list, err := r.s.a.trimmedFrom(ctx, r.next)
	if err != nil {
		return nil, err
	}
	list = list[:min(len(list), limit)]
	for len(list) > 0 && before > 0 && list[len(list)-1].Seq >= before {
		list = list[:len(list)-1]
	}
	if n := len(list); n > 0 {
		r.next = list[n-1].Seq + 1
	}
	return list, nil
}

// payloads is PAYLOADS read through to the archive. What it is asked for by Fetch is looked for where it was written, then in its rewritten
// form, and in the archive last: an erasure shows at once.
type payloads struct {
	store.Stream
	a *Archive
}

var (
	_ store.Fetcher = (*payloads)(nil)
	_ store.Purger  = (*payloads)(nil)
)

// Fetch implements store.Fetcher.
func (p *payloads) Fetch(ctx context.Context, seq uint64) ([]byte, error) {
	body, err := store.Fetch(ctx, p.Stream, seq)
	if !errors.Is(err, store.ErrNotFound) {
		return body, err
	}
	m, err := p.Stream.Last(ctx, fmt.Sprintf("audit.%s.payloads.%d", p.a.name, seq))
	if !errors.Is(err, store.ErrNotFound) {
		return m.Data, err
	}
	return p.a.payload(ctx, seq)
}

// PurgeBelow implements store.Purger.
func (p *payloads) PurgeBelow(ctx context.Context, seq uint64) error {
	return p.purger(func(s store.Purger) error { return s.PurgeBelow(ctx, seq) })
}

// SecureDelete implements store.Purger.
func (p *payloads) SecureDelete(ctx context.Context, seq uint64) error {
	return p.purger(func(s store.Purger) error { return s.SecureDelete(ctx, seq) })
}

func (p *payloads) purger(do func(store.Purger) error) error {
	s, ok := p.Stream.(store.Purger)
	if !ok {
		return errors.New("this PAYLOADS stream cannot be purged")
	}
	return do(s)
}
