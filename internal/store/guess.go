package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// batch finds the batch of an index. It begins at the end of SEALED and guesses by the batches that
// are read, since each message costs a request, and one far from the end a read of the disk. What
// is archived has landmarks.
func (t *trees) batch(index uint64) (At, error) {
	above := slices.IndexFunc(t.read, func(at At) bool { return index < at.Batch.Size })
	if above >= 0 && index >= t.read[above].Batch.First {
		return t.read[above], nil
	}
	if l, ok := t.log.Sealed.(Landmarks); ok {
		list, err := l.Landmarks(t.ctx)
		if n := len(list); err != nil || n > 0 && index < list[n-1].Batch.Size {
			return FindBatch(t.ctx, t.log, index)
		}
	}
	info, err := t.log.Sealed.Info(t.ctx)
	if err != nil {
		return At{}, fmt.Errorf("sealed stream: %w", err)
	}
	s := stretch{lo: info.First, hi: info.Last + 1, index: index, step: 1}
	for _, at := range t.read {
		s.reduce(at, at.Seq)
	}
	for s.lo < s.hi {
		seq := s.guess()
		at, err := batchFrom(t.ctx, t.log, seq, s.hi)
		switch {
		case errors.Is(err, ErrNotFound):
			s.hi = seq
		case err != nil:
			return At{}, err
		case holds(index)(at.Batch) == 0:
			t.keep(at)
			return at, nil
		default:
			t.keep(at)
			s.reduce(at, seq)
		}
	}
	if s.most == 0 {
		return At{}, fmt.Errorf("sealed stream: %w", ErrNotFound)
	}
	return t.scan(index, info)
}

// scan finds the batch of an index where a void message led a search astray. It reads backwards
// from the next batch that is known, message by message.
func (t *trees) scan(index uint64, info Info) (At, error) {
	end := info.Last + 1
	if i := slices.IndexFunc(t.read, func(at At) bool { return index < at.Batch.First }); i >= 0 {
		end = t.read[i].Seq
	}
	for seq := end - 1; seq >= info.First && seq > 0; seq-- {
		at, err := batchFrom(t.ctx, t.log, seq, seq+1)
		if err == nil && holds(index)(at.Batch) == 0 {
			t.keep(at)
			return at, nil
		} else if err != nil && !errors.Is(err, ErrNotFound) {
			return At{}, err
		}
	}
	return At{}, fmt.Errorf("sealed stream: %w", ErrNotFound)
}

// keep adds a batch to those that are read, unless it does not fit between them: then it is void.
func (t *trees) keep(at At) {
	i, there := slices.BinarySearchFunc(t.read, at, func(a, b At) int { return cmp.Compare(a.Seq, b.Seq) })
	if !there && (i == 0 || t.read[i-1].Batch.Size <= at.Batch.First) &&
		(i == len(t.read) || at.Batch.Size <= t.read[i].Batch.First) {
		t.read = slices.Insert(t.read, i, at)
	}
}

// stretch is the part of SEALED, from sequence lo to before hi, in which the batch of an index is.
type stretch struct {
	lo, hi      uint64
	index       uint64
	below       bool   // whether a batch before lo was read
	least, most uint64 // first index of the stretch, if below, and the first index after it; 0 if not known
	count       uint64 // leaves of the batch at hi
	step, turn  uint64
}

// reduce takes notice of a batch. Between seq and the batch stands nothing.
func (s *stretch) reduce(at At, seq uint64) {
	if s.index >= at.Batch.Size {
		s.lo, s.least, s.below = max(s.lo, at.Seq+1), at.Batch.Size, true
	} else if seq < s.hi {
		s.hi, s.most, s.count = seq, at.Batch.First, at.Batch.Size-at.Batch.First
	}
}

// guess returns the sequence to read next: the last one; then, in growing steps back, until a batch
// is below; then in proportion, and every other time the middle, which is slow but never fails.
func (s *stretch) guess() uint64 {
	switch s.turn++; {
	case s.most == 0:
		return s.hi - 1
	case !s.below:
		back := min(s.step, (s.most-s.index)/s.count+1, s.hi-s.lo)
		s.step *= 4
		return s.hi - back
	case s.turn%2 == 0:
		return s.lo + (s.hi-s.lo)/2
	}
	part := float64(s.index-s.least) / float64(s.most-s.least)
	return min(s.lo+uint64(part*float64(s.hi-s.lo)), s.hi-1)
}
