package store

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Follower reads SEALED in order and verifies it as it goes.
type Follower struct {
	Log  *Log   // the log to follow
	From uint64 // first index to yield
	Near uint64 // SEALED sequence that probably holds From, which saves a search; 0 says nothing
	Stop bool   // whether to end at the present end of SEALED instead of waiting for more

	// Keys are verifier keys of the log. Without keys, those that index 0 names are taken: then the
	// log is proven to be consistent, but not whose it is.
	Keys []string

	// Prepare computes what the caller needs besides a batch. It runs in the goroutines that parse,
	// for many batches at a time. Sealed.Prepared is its result. The batch is not verified yet and may
	// be void. If a leaf is malformed, there are fewer entries than leaves. May be nil.
	Prepare func(b sealedlog.Batch, entries []entry.Entry) any

	// Void is called for each message that is skipped because it does not continue the log. May be
	// nil.
	Void func(seq uint64, why error)
}

// Sealed is one verified batch and its SEALED sequence.
type Sealed struct {
	Seq      uint64          // SEALED sequence
	Batch    sealedlog.Batch // without its leaves
	Entries  []entry.Entry   // the entries of its leaves
	Prepared any             // result of Follower.Prepare
}

// Follow yields the entries of a log from an index on, each verified, and waits at the end until
// ctx is done. It ends after the first error.
func Follow(ctx context.Context, log *Log, from uint64, vkeys ...string) iter.Seq2[entry.Entry, error] {
	return func(yield func(entry.Entry, error) bool) {
		for s, err := range (Follower{Log: log, Keys: vkeys, From: from}).Batches(ctx) {
			if err != nil {
				yield(entry.Entry{}, err)
				return
			}
			for _, e := range s.Entries {
				if e.Index >= from && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Batches yields whole batches, beginning with the one that holds From. All of their entries are
// verified. A walk that begins in the middle trusts the signature of the batch before. If it meets
// a void message, it begins again at the log's first message, because only the whole chain tells
// which of two messages is void.
func (f Follower) Batches(ctx context.Context) iter.Seq2[Sealed, error] {
	return func(yield func(Sealed, error) bool) {
		next := f.From
		again := errors.New("begin again")
		for whole := f.From == 0 || len(f.Keys) == 0; ; whole = true {
			err := f.walk(ctx, whole, again, func(s Sealed) bool {
				if s.Batch.Size <= next {
					return true
				}
				next = s.Batch.Size
				return yield(s, nil)
			})
			switch {
			case err == again:
				continue
			case err != nil && err != errStopped:
				yield(Sealed{}, err)
			}
			return
		}
	}
}

var errStopped = errors.New("the caller has stopped")

// walk is one walk, to the present end or without end. It returns again if a walk over the whole
// log is needed.
func (f Follower) walk(ctx context.Context, whole bool, again error, yield func(Sealed) bool) error {
	end, gone, err := End(ctx, f.Log.Sealed)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	chain, last := audit.NewChain(f.Keys...), uint64(0)
	if !whole {
		at, err := f.before(ctx)
		if errors.Is(err, ErrNotFound) || err == nil && at.Batch.Size > f.From { // void messages lead a search astray
			return again
		} else if err != nil {
			return err
		}
		if chain, err = audit.ResumeChain(at.Batch, at.Batch.Leaves[len(at.Batch.Leaves)-1], f.Keys...); err != nil {
			return again
		}
		last = at.Seq
	}
	if !f.Stop {
		end = 0
	} else if last >= end {
		return f.lost(chain, end, gone)
	}
	defer f.Log.Parses.join()()
	for p, err := range Ahead(ctx, f.Log.Sealed, last+1, end, f.parser()) {
		if err != nil {
			return fmt.Errorf("sealed stream: %w", err)
		}
		if p.Seq != last+1 {
			return fmt.Errorf("sealed stream: %w", audit.Missing(chain.Size(), last+1, p.Seq-1))
		}
		last = p.Seq
		entries, err := chain.Take(p.Parsed)
		switch {
		case errors.Is(err, sealedlog.ErrVoid) && !whole:
			return again
		case errors.Is(err, sealedlog.ErrVoid):
			if f.Void != nil {
				f.Void(p.Seq, err)
			}
		case err != nil:
			return fmt.Errorf("SEALED sequence %d: %w", p.Seq, err)
		case !yield(Sealed{p.Seq, chain.Batch(), entries, p.ready}):
			return errStopped
		}
	}
	return f.lost(chain, end, gone)
}

// prepared is a message with everything done that needs no other message.
type prepared struct {
	audit.Parsed
	ready any
}

func (f Follower) parser() func(entry.Message) prepared {
	parse := f.Log.Parses.parser(f.Keys, audit.NewParser(f.Keys...).Parse)
	return func(m entry.Message) prepared {
		p := prepared{Parsed: parse(m)}
		if f.Prepare != nil && len(p.Entries) > 0 {
			p.ready = f.Prepare(p.Batch, p.Entries)
		}
		return p
	}
}

// before finds the batch before the one that holds From or, if that is not sealed yet, the one that
// ends with From−1.
func (f Follower) before(ctx context.Context) (At, error) {
	at, err := FindBatchNear(ctx, f.Log, f.From, f.Near)
	switch {
	case errors.Is(err, ErrNotFound):
		return FindBatch(ctx, f.Log, f.From-1)
	case err != nil:
		return At{}, err
	case at.Batch.First == 0:
		return At{}, ErrNotFound
	}
	return FindBatchNear(ctx, f.Log, at.Batch.First-1, at.Seq-1)
}

// lost returns the error of messages that the stream counts at its end and no longer has.
func (f Follower) lost(chain *audit.Chain, end, gone uint64) error {
	if gone == 0 {
		return nil
	}
	return fmt.Errorf("sealed stream: %w", audit.Missing(chain.Size(), end+1, end+gone))
}
