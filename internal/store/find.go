package store

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// At is a batch and its SEALED sequence.
type At struct {
	Seq   uint64
	Batch sealedlog.Batch
}

// FindBatch finds the batch that holds an index. The error wraps ErrNotFound if there is none. It
// reads about log2 of SEALED's length and verifies nothing: the caller checks what matters against
// the chain or a checkpoint.
func FindBatch(ctx context.Context, log *Log, index uint64) (At, error) {
	return find(ctx, log, holds(index))
}

// FindBatchNear is FindBatch for a caller that can say which SEALED sequence the batch probably
// has. If that is right, it reads this message alone: a search loads a block of the stream for each
// message that it reads. Sequence 0 says nothing.
func FindBatchNear(ctx context.Context, log *Log, index, seq uint64) (At, error) {
	if seq > 0 {
		if at, err := batchFrom(ctx, log, seq, seq+1); err == nil && holds(index)(at.Batch) == 0 {
			return at, nil
		}
	}
	return FindBatch(ctx, log, index)
}

// holds compares an index with the batch that holds it.
func holds(index uint64) func(sealedlog.Batch) int {
	return func(b sealedlog.Batch) int {
		switch {
		case index < b.First:
			return -1
		case index >= b.Size:
			return 1
		}
		return 0
	}
}

// FindInput finds the batch that reaches the end of an EVENTS message of an epoch. The error wraps
// ErrNotFound if the message is not sealed yet. Batches before it may hold entries of that message
// too.
func FindInput(ctx context.Context, log *Log, epoch, seq uint64) (At, error) {
	done := func(p sealedlog.Position) bool {
		return p.Epoch > epoch || p.Epoch == epoch && (p.Seq > seq || p.Seq == seq && p.Place == sealedlog.PlaceEnd)
	}
	var found At
	_, err := find(ctx, log, func(b sealedlog.Batch) int {
		if done(b.Input) {
			return -1
		}
		return 1
	}, func(at At) {
		if done(at.Batch.Input) {
			found = at
		}
	})
	if found.Seq != 0 && errors.Is(err, ErrNotFound) {
		// the search came to its end; after trouble of the store, found may be a later one
		return found, nil
	}
	return At{}, err
}

// find searches SEALED, in which batches ascend. It skips messages that are no batches and
// sequences that are gone.
func find(ctx context.Context, log *Log, compare func(sealedlog.Batch) int, visit ...func(At)) (At, error) {
	info, err := log.Sealed.Info(ctx)
	if err != nil {
		return At{}, fmt.Errorf("sealed stream: %w", err)
	}
	lo, hi := info.First, info.Last+1
	if l, ok := log.Sealed.(Landmarks); ok {
		if lo, hi, err = narrow(ctx, l, lo, hi, compare); err != nil {
			return At{}, err
		}
	}
	for lo < hi {
		at, err := batchFrom(ctx, log, lo+(hi-lo)/2, hi)
		if errors.Is(err, ErrNotFound) {
			hi = lo + (hi-lo)/2
			continue
		} else if err != nil {
			return At{}, err
		}
		for _, v := range visit {
			v(at)
		}
		switch c := compare(at.Batch); {
		case c == 0:
			return at, nil
		case c < 0:
			hi = lo + (hi-lo)/2
		default:
			lo = at.Seq + 1
		}
	}
	return At{}, fmt.Errorf("sealed stream: %w", ErrNotFound)
}

// Landmarks is implemented by a SEALED stream of which some batches are known without reading. A
// search then reads only the stretch between two of them.
type Landmarks interface {
	// Landmarks are known batches without their leaves, in the order of the stream.
	Landmarks(ctx context.Context) ([]At, error)
}

// narrow reduces a search to the stretch between two landmarks. The upper one is included: it may
// be the one that is searched for.
func narrow(ctx context.Context, l Landmarks, lo, hi uint64,
	compare func(sealedlog.Batch) int) (uint64, uint64, error) {
	list, err := l.Landmarks(ctx)
	if err != nil {
		return lo, hi, fmt.Errorf("sealed stream: %w", err)
	}
	i := sort.Search(len(list), func(i int) bool { return compare(list[i].Batch) <= 0 })
	if i < len(list) {
		hi = min(hi, list[i].Seq+1)
	}
	if i > 0 {
		lo = max(lo, list[i-1].Seq+1)
	}
	return lo, hi, nil
}

// batchFrom reads the first batch at a sequence from seq up to end.
func batchFrom(ctx context.Context, log *Log, seq, end uint64) (At, error) {
	for ; seq < end; seq++ {
		m, err := log.Sealed.Get(ctx, seq)
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return At{}, fmt.Errorf("SEALED sequence %d: %w", seq, err)
		}
		if b, err := sealedlog.ParseBatch(m); err == nil {
			return At{m.Seq, b}, nil
		} else if errors.Is(err, sealedlog.ErrVersion) {
			return At{}, fmt.Errorf("SEALED sequence %d: %w", seq, err)
		}
	}
	return At{}, ErrNotFound
}

// PayloadMessage reads the body of the PAYLOADS message with the sequence that SEALED names: the
// original or, if that is gone, its newest rewritten form. The error wraps ErrNotFound if neither
// exists.
func PayloadMessage(ctx context.Context, log *Log, seq uint64) ([]byte, error) {
	body, err := Fetch(ctx, log.Payloads, seq)
	if errors.Is(err, ErrNotFound) {
		var m entry.Message
		m, err = log.Payloads.Last(ctx, subject.PayloadsRewrite(log.Name, seq))
		body = m.Data
	}
	if err != nil {
		return nil, fmt.Errorf("PAYLOADS sequence %d: %w", seq, err)
	}
	return body, nil
}

// Payloads reads the payloads of a batch by index. It leaves out missing ones. The audit decides
// whether they may be missing.
func Payloads(ctx context.Context, log *Log, seq uint64) (map[uint64]entry.Payload, error) {
	body, err := PayloadMessage(ctx, log, seq)
	if err != nil {
		return nil, err
	}
	list, err := sealedlog.ParsePayloads(body)
	if err != nil {
		return nil, fmt.Errorf("PAYLOADS sequence %d: %w", seq, err)
	}
	byIndex := make(map[uint64]entry.Payload, len(list))
	for _, p := range list {
		byIndex[p.Index] = p
	}
	return byIndex, nil
}
