package store

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Follower reads SEALED in order and verifies it as it goes.
type Follower struct {
	Log  *Log
	Keys []string // verifier keys; none: those that index 0 names, which says that the log is one, but not whose
	From uint64   // first index wanted
	Stop bool     // end at the present end of SEALED instead of waiting for more

	// Prepare makes of a batch what the caller needs beside it, in the goroutines that parse, many batches at a time; Sealed.Prepared is what it
	// returned. The batch is not verified yet and may be void; of one with a leaf that is none there are fewer entries. nil: nothing.
	Prepare func(b proof.Batch, entries []entry.Entry) any

	// Void is told of each message that is skipped because it does not continue the log; nil: nobody is.
	Void func(seq uint64, why error)
}

// Sealed is one verified batch and the SEALED sequence at which it stands.
type Sealed struct {
	Seq     uint64
	Batch   proof.Batch
	Entries []entry.Entry

	Prepared any // by Follower.Prepare
}

// Follow yields the entries of a log from an index on, each verified, and waits at the end until ctx is done. It ends after the
// first error.
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

// Batches yields whole batches, beginning with the one that holds From; all in it are verified. A walk that begins in the middle
// trusts the signature of the batch before; one that then meets a void message begins again at the log's first
// message, because only the whole chain tells which of two is void.
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

// walk is one walk to the end, or without end; again asks for one over the whole log.
func (f Follower) walk(ctx context.Context, whole bool, again error, yield func(Sealed) bool) error {
	end, gone, err := End(ctx, f.Log.Sealed)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	chain, last := proof.NewChain(f.Keys...), uint64(0)
	if !whole {
		at, err := f.before(ctx)
		if errors.Is(err, ErrNotFound) || err == nil && at.Batch.Size > f.From { // void messages lead a search astray
			return again
		} else if err != nil {
			return err
		}
		if chain, err = proof.ResumeChain(at.Batch, at.Batch.Leaves[len(at.Batch.Leaves)-1], f.Keys...); err != nil {
			return again
		}
		last = at.Seq
	}
	if !f.Stop {
		end = 0
	} else if last >= end {
		return f.lost(chain, end, gone)
	}
	for p, err := range Ahead(ctx, f.Log.Sealed, last+1, end, f.parser()) {
		if err != nil {
			return fmt.Errorf("sealed stream: %w", err)
		}
		if p.Seq != last+1 {
			return fmt.Errorf("sealed stream: %w", proof.Missing(chain.Size(), last+1, p.Seq-1))
		}
		last = p.Seq
		entries, err := chain.Take(p.Parsed)
		switch {
		case errors.Is(err, proof.ErrVoid) && !whole:
			return again
		case errors.Is(err, proof.ErrVoid):
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

// prepared is a message of which all is done that needs no other.
type prepared struct {
	proof.Parsed
	ready any
}

func (f Follower) parser() func(entry.Message) prepared {
	parse := proof.NewParser(f.Keys...).Parse
	return func(m entry.Message) prepared {
		p := prepared{Parsed: parse(m)}
		if f.Prepare != nil && len(p.Entries) > 0 {
			p.ready = f.Prepare(p.Batch, p.Entries)
		}
		return p
	}
}

// before finds the batch before the one that holds From, or, if that is not sealed yet, the one that ends with From−1.
func (f Follower) before(ctx context.Context) (At, error) {
	at, err := FindBatch(ctx, f.Log, f.From)
	switch {
	case errors.Is(err, ErrNotFound):
		return FindBatch(ctx, f.Log, f.From-1)
	case err != nil:
		return At{}, err
	case at.Batch.First == 0:
		return At{}, ErrNotFound
	}
	return FindBatch(ctx, f.Log, at.Batch.First-1)
}

// lost is the error of messages that the stream counts at its end and no longer has.
func (f Follower) lost(chain *proof.Chain, end, gone uint64) error {
	if gone == 0 {
		return nil
	}
	return fmt.Errorf("sealed stream: %w", proof.Missing(chain.Size(), end+1, end+gone))
}
