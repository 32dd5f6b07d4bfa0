package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// pump is one session of a Runner: from the log into an open sink.
type pump struct {
	*Runner
	sink   Sink
	at     Cursor
	remote bool      // the cursor lies in CURSORS, as the sink has none
	saved  Cursor    // there
	last   time.Time // when it was saved
}

// cursorKey is where the cursor of a sink without one lies.
func (r *Runner) cursorKey() string { return r.cfg.Log.Name + "/sink-" + r.cfg.Sink.Name }

// cursorEvery is how often it is saved, at most.
const cursorEvery = time.Second

// begin finds out where to go on, and that it is this log that is gone on with.
func (p *pump) begin(ctx context.Context) (err error) {
	p.at, err = p.sink.Cursor(ctx)
	if errors.Is(err, ErrNoCursor) {
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
	// The newest entry that the sink holds must be the log's: what a sink holds beyond the log's end would else be skipped in silence later.
	_, err = store.FindBatch(ctx, p.cfg.Log, p.at.Next-1)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: it holds index %d, which the log does not have", ErrOther, p.at.Next-1)
	} else if err != nil {
		return fmt.Errorf("index %d: %w", p.at.Next-1, err)
	}
	return nil
}

func (p *pump) load(ctx context.Context) (c Cursor, err error) {
	b, _, err := p.cfg.Log.Cursors.Get(ctx, p.cursorKey())
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	} else if err != nil {
		return c, err
	}
	return c, json.Unmarshal(b, &c)
}

// save keeps the cursor behind what was written: a crash before it sends some entries again, and never skips one.
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

// parcel is a batch of the log with its data, or why there is none.
type parcel struct {
	records []Record
	erased  []uint64 // what erasure entries in it name
	err     error
}

// ahead is how many batches are read before they are written.
const ahead = 16

// run writes what the log has, batch after batch, and more at a time where more is there.
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
		defer func() { // also when the process is to end
			late, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer stop()
			err = errors.Join(err, p.save(late, true))
		}()
	}
	idle := time.NewTicker(cursorEvery)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
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

// take writes a parcel and those that wait behind it.
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
			return p.save(ctx, false)
		}
		one = *next
	}
}

// write has the sink forget what was erased, and gives it records, in calls of bounded size. In this order: the entry that says what was erased is the
// sink's own memory of having done so.
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
			if part, ok := errors.AsType[*PartError](err); ok && p.remote { // else a receiver that is slow would get the first ones again and again, and never the last
				p.written(records[:min(part.Taken, n)])
			}
			return fmt.Errorf("write: %w", err)
		}
		p.written(records[:n])
		records = records[n:]
	}
	return all.err
}

// written moves the cursor behind what the sink has taken.
func (p *pump) written(records []Record) {
	if len(records) == 0 {
		return
	}
	erased := uint64(0)
	for i := range records {
		if records[i].Erased() {
			erased++
		}
	}
	p.at = Of(&records[len(records)-1].Entry)
	p.set(func(s *Status) {
		s.Next, s.Written, s.Batches, s.Erased = p.at.Next, s.Written+uint64(len(records)), s.Batches+1, s.Erased+erased
	})
}

func (p *pump) erase(ctx context.Context, records []Record, erased []uint64) error {
	if len(erased) == 0 {
		return nil
	}
	for i := range records {
		if slices.Contains(erased, records[i].Entry.Index) {
			records[i].Payload = nil
		}
	}
	e, ok := p.sink.(Eraser)
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

// read follows the log and brings the data, ahead of the sink.
func (p *pump) read(ctx context.Context, out chan<- parcel) {
	from := p.at.Next
	if from > 0 {
		from-- // so that the sink's newest entry is compared with the log's: Cursor.Rest does that, in write
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
