package sinkrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/streams/subject"
)

// pump is one session of a Runner: it writes the log into an open sink.
type pump struct {
	*Runner
	sink   sink.Sink
	at     sink.Cursor // after the newest entry that was written
	remote bool        // the cursor is stored in CURSORS, because the sink stores none
	saved  sink.Cursor // the stored cursor
	last   time.Time   // when it was stored
}

// cursorKey is the key in CURSORS of the cursor of a sink that stores none.
func (r *Runner) cursorKey() string { return subject.SinkCursor(r.cfg.Log.Name, r.cfg.Sink.Name) }

// cursorEvery is the shortest time between two writes of the cursor.
const cursorEvery = time.Second

// begin reads the cursor, and checks that the sink holds this log.
func (p *pump) begin(ctx context.Context) (err error) {
	p.at, err = p.sink.Cursor(ctx)
	if errors.Is(err, sink.ErrNoCursor) {
		p.remote = true
		p.at, err = p.load(ctx)
	}
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	p.saved = p.at
	p.set(func(s *Status) { s.Next = p.at.Next })
	if p.at.Next == 0 {
		return nil
	}
	// The log must have the newest entry that the sink holds. Otherwise the Runner would later skip
	// entries silently until the log is as long as the sink.
	_, err = store.FindBatch(ctx, p.cfg.Log, p.at.Next-1)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: it holds index %d, which the log does not have", sink.ErrOther, p.at.Next-1)
	} else if err != nil {
		return fmt.Errorf("index %d: %w", p.at.Next-1, err)
	}
	return nil
}

func (p *pump) load(ctx context.Context) (c sink.Cursor, err error) {
	b, _, err := p.cfg.Log.Cursors.Get(ctx, p.cursorKey())
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	} else if err != nil {
		return c, err
	}
	return c, json.Unmarshal(b, &c)
}

// save stores the cursor after a write. A crash before it sends some entries again, and never skips
// one.
func (p *pump) save(ctx context.Context, now bool) error {
	if !p.remote || p.at == p.saved || !now && time.Since(p.last) < cursorEvery {
		return nil
	}
	b, err := json.Marshal(p.at)
	if err == nil {
		err = p.cfg.Log.Cursors.Put(ctx, p.cursorKey(), b)
	}
	if err != nil {
		return fmt.Errorf("save the cursor: %w", err)
	}
	p.saved, p.last = p.at, time.Now()
	return nil
}

// parcel is a batch of the log with its data.
type parcel struct {
	records []sink.Record
	erased  []uint64 // indexes that its erasure entries name
	err     error    // why the log could not be read further
}

// ahead is the number of batches that are read before they are written.
const ahead = 16

// run writes the log, and joins batches that wait to larger writes. It returns the error that ended
// the session.
func (p *pump) run(ctx context.Context) (err error) {
	parcels := make(chan parcel, ahead)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.read(ctx, parcels)
	}()
	defer func() { cancel(); <-done }()
	if p.remote {
		defer func() { // also when ctx is done, so that a restart sends fewer entries again
			late, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer stop()
			err = errors.Join(err, p.save(late, true))
		}()
	}
	idle := time.NewTicker(cursorEvery)
	defer idle.Stop()
	var lost <-chan struct{}
	if w, ok := p.sink.(sink.Watcher); ok {
		lost = w.Lost()
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.reopen:
			return errReopen
		case <-lost:
			if _, err := p.sink.Cursor(ctx); err != nil {
				return fmt.Errorf("watch: %w", err)
			}
			lost = nil
		case <-idle.C:
			if err := p.save(ctx, false); err != nil {
				return err
			}
		case one := <-parcels:
			if err := p.take(ctx, one, parcels); err != nil {
				return err
			}
		}
	}
}

// take writes a parcel and those that wait after it.
func (p *pump) take(ctx context.Context, one parcel, more <-chan parcel) error {
	for {
		all := one
		var next *parcel
		for next == nil && all.err == nil && len(all.records) < p.cfg.Batch {
			select {
			case n := <-more:
				if next = &n; len(all.records)+len(n.records) <= p.cfg.Batch {
					all.records, all.erased, all.err = append(all.records, n.records...), append(all.erased, n.erased...), n.err
					next = nil
				}
				continue
			default:
			}
			break
		}
		if err := p.write(ctx, all); err != nil {
			return err
		}
		if next == nil {
			p.set(func(s *Status) { s.CaughtUp = s.CaughtUp || len(more) == 0; s.Err = "" })
			p.tell(health.OK, "")
			return p.save(ctx, false)
		}
		one = *next
	}
}

// write erases data in the sink and then writes records, at most Batch in one call. The order
// matters: once the sink holds an erasure entry, its data was erased. A crash between the two
// erases again.
func (p *pump) write(ctx context.Context, all parcel) error {
	records, err := p.at.Rest(all.records)
	if err != nil {
		return err
	}
	if err := p.erase(ctx, records, all.erased); err != nil {
		return err
	}
	for len(records) > 0 {
		n := min(len(records), p.cfg.Batch)
		if err := p.call(ctx, func(ctx context.Context) error { return p.sink.Write(ctx, records[:n]) }); err != nil {
			if part, ok := errors.AsType[*sink.PartError](err); ok && p.remote {
				// Otherwise a slow receiver would get the first entries again and again, and never
				// the last ones.
				p.written(records[:min(part.Taken, n)])
			}
			return fmt.Errorf("write: %w", err)
		}
		p.written(records[:n])
		records = records[n:]
	}
	return all.err
}

// written moves the cursor after the records that the sink has written.
func (p *pump) written(records []sink.Record) {
	if len(records) == 0 {
		return
	}
	erased := uint64(0)
	for i := range records {
		if records[i].Erased() {
			erased++
		}
	}
	p.at = sink.Of(&records[len(records)-1].Entry)
	p.set(func(s *Status) {
		s.Next, s.Written, s.Batches, s.Erased = p.at.Next, s.Written+uint64(len(records)), s.Batches+1, s.Erased+erased
	})
}

func (p *pump) erase(ctx context.Context, records []sink.Record, erased []uint64) error {
	if len(erased) == 0 {
		return nil
	}
	for i := range records {
		if slices.Contains(erased, records[i].Entry.Index) {
			records[i].Payload = nil
		}
	}
	e, ok := p.sink.(sink.Eraser)
	if !ok {
		return nil
	}
	if err := p.call(ctx, func(ctx context.Context) error { return e.Erase(ctx, erased) }); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	return nil
}

func (p *pump) call(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Wait)
	defer cancel()
	return f(ctx)
}

// read follows the log and adds the data, ahead of the sink.
func (p *pump) read(ctx context.Context, out chan<- parcel) {
	from := p.at.Next
	if from > 0 {
		from-- // so that Cursor.Rest in write compares the sink's newest entry with the log's
	}
	lost := lookup{log: p.cfg.Log, keys: p.cfg.Keys}
	send := func(one parcel) bool {
		select {
		case out <- one:
			return true
		case <-ctx.Done():
			return false
		}
	}
	f := store.Follower{Log: p.cfg.Log, Keys: p.cfg.Keys, From: from}
	for b, err := range f.Batches(ctx) {
		var one parcel
		if err == nil {
			one, err = p.parcel(ctx, b, from, &lost)
		}
		if err != nil {
			send(parcel{err: err})
			return
		}
		if !send(one) {
			return
		}
	}
}

func (p *pump) parcel(ctx context.Context, b store.Sealed, from uint64, lost *lookup) (one parcel, err error) {
	entries := b.Entries
	for len(entries) > 0 && entries[0].Index < from {
		entries = entries[1:]
	}
	for i := range entries {
		if e, ok := entries[i].Detail.(*entry.Erasure); ok {
			one.erased = append(one.erased, e.Indexes...)
		}
	}
	one.records, err = lost.records(ctx, b.Batch.Payloads, entries)
	return one, err
}
