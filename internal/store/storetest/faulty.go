package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Faulty is a log seen through faults. What it writes, it writes to l.
func Faulty(l *store.Log, plan *Plan) *store.Log {
	return &store.Log{
		Name: l.Name,
		Events: &faultyStream{
			name: "EVENTS",
			s:    l.Events,
			p:    plan,
		}, Sealed: &faultyStream{name: "SEALED", s: l.Sealed, p: plan},
		Payloads: &faultyStream{
			name: "PAYLOADS",
			s:    l.Payloads,
			p:    plan,
		}, Alerts: &faultyStream{name: "ALERTS", s: l.Alerts, p: plan},
		Head: faultyKV{"HEAD", l.Head, plan}, Cursors: faultyKV{"CURSORS", l.Cursors, plan},
	}
}

type faultyStream struct {
	name string
	s    store.Stream
	p    *Plan

	mu   sync.Mutex
	told store.Info // what Info told last
}

// Info implements store.Stream.
func (f *faultyStream) Info(ctx context.Context) (info store.Info, err error) {
	err = f.p.read(Op{Resource: f.name, Method: "Info"}, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if info = f.told; info.Created.IsZero() {
			info, err = f.s.Info(ctx)
			info.First, info.Last, info.Bytes = 1, 0, 0
		}
		return err
	}, func() (err error) {
		if info, err = f.s.Info(ctx); err == nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.told = info
		}
		return err
	})
	return info, err
}

// Get implements store.Stream.
func (f *faultyStream) Get(ctx context.Context, seq uint64) (m entry.Message, err error) {
	err = f.p.read(
		Op{Resource: f.name, Method: "Get", Seq: seq},
		notFound,
		func() (err error) { m, err = f.s.Get(ctx, seq); return err },
	)
	return m, err
}

// Last implements store.Stream.
func (f *faultyStream) Last(ctx context.Context, subject string) (m entry.Message, err error) {
	err = f.p.read(
		Op{Resource: f.name, Method: "Last", Key: subject},
		notFound,
		func() (err error) { m, err = f.s.Last(ctx, subject); return err },
	)
	return m, err
}

func notFound() error { return fmt.Errorf("stale answer: %w", store.ErrNotFound) }

// Read implements store.Stream.
func (f *faultyStream) Read(ctx context.Context, from uint64) (r store.Reader, err error) {
	err = f.p.read(
		Op{Resource: f.name, Method: "Read", Seq: from},
		nil,
		func() (err error) { r, err = f.s.Read(ctx, from); return err },
	)
	if err != nil {
		return nil, err
	}
	return &faultyReader{f: f, r: r}, nil
}

type faultyReader struct {
	f   *faultyStream
	r   store.Reader
	cut error
}

// Next implements store.Reader. A crash while it waits ends the wait.
func (r *faultyReader) Next(ctx context.Context, limit int) (list []entry.Message, err error) {
	if r.cut != nil {
		return nil, r.cut
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	life := r.f.p.life()
	defer context.AfterFunc(life, cancel)()
	r.cut = r.f.p.read(Op{Resource: r.f.name, Method: "Next"}, nil, func() error {
		list, err = r.r.Next(ctx, limit)
		if life.Err() != nil {
			return ErrCrashed
		}
		return nil
	})
	if r.cut != nil {
		return nil, r.cut
	}
	return list, err
}

func (r *faultyReader) Close() { r.r.Close() }

// Reopened implements store.Reopener.
func (r *faultyReader) Reopened() int {
	if o, ok := r.r.(store.Reopener); ok {
		return o.Reopened()
	}
	return 0
}

// Append implements store.Stream.
func (f *faultyStream) Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error) {
	pending, err := f.AppendAsync(ctx, m, expectLast)
	if err != nil {
		return 0, err
	}
	return pending(ctx)
}

// AppendAsync implements store.Stream. Faults tell of themselves when the answer is waited for, as
// those of a broker do.
func (f *faultyStream) AppendAsync(ctx context.Context, m entry.Message, expectLast *uint64) (store.Pending, error) {
	op := Op{Resource: f.name, Method: "Append", Key: m.Subject, Expect: expectLast}
	// the caller may use its own again
	late := entry.Message{Subject: m.Subject, Header: m.Header, Data: bytes.Clone(m.Data)}
	err := f.p.meddle(ctx, op, func(ctx context.Context) error {
		_, err := f.s.Append(ctx, late, expectLast)
		return err
	})
	if err != nil {
		return func(context.Context) (uint64, error) { return 0, err }, nil
	}
	pending, err := f.s.AppendAsync(ctx, m, expectLast)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (uint64, error) {
		seq, err := pending(ctx)
		if f.p.life().Err() != nil {
			return 0, fmt.Errorf("Append of %s: %w", f.name, ErrCrashed)
		}
		return seq, err
	}, nil
}

// AppendBatch implements store.BatchAppender, if the stream is one. It counts as an Append.
func (f *faultyStream) AppendBatch(
	ctx context.Context,
	messages []entry.Message,
	expectLast uint64,
) (seq uint64, err error) {
	b, ok := f.s.(store.BatchAppender)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	err = f.p.write(
		ctx,
		Op{Resource: f.name, Method: "Append", Key: messages[0].Subject, Expect: &expectLast},
		func(ctx context.Context) (err error) {
			seq, err = b.AppendBatch(ctx, messages, expectLast)
			return err
		},
	)
	return seq, err
}

// PurgeBelow implements store.Purger, if the stream is one.
func (f *faultyStream) PurgeBelow(ctx context.Context, seq uint64) error {
	return f.p.write(ctx, Op{Resource: f.name, Method: "PurgeBelow", Seq: seq}, func(ctx context.Context) error {
		return f.s.(store.Purger).PurgeBelow(ctx, seq)
	})
}

// SecureDelete implements store.Purger, if the stream is one.
func (f *faultyStream) SecureDelete(ctx context.Context, seq uint64) error {
	return f.p.write(ctx, Op{Resource: f.name, Method: "SecureDelete", Seq: seq}, func(ctx context.Context) error {
		return f.s.(store.Purger).SecureDelete(ctx, seq)
	})
}

type faultyKV struct {
	name string
	kv   store.KV
	p    *Plan
}

// Get implements store.KV.
func (f faultyKV) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	err = f.p.read(Op{Resource: f.name, Method: "Get", Key: key}, notFound, func() (err error) {
		value, revision, err = f.kv.Get(ctx, key)
		return err
	})
	return value, revision, err
}

// Put implements store.KV.
func (f faultyKV) Put(ctx context.Context, key string, value []byte) error {
	value = bytes.Clone(value) // it may be written late
	return f.p.write(
		ctx,
		Op{Resource: f.name, Method: "Put", Key: key},
		func(ctx context.Context) error { return f.kv.Put(ctx, key, value) },
	)
}

// Create implements store.KV.
func (f faultyKV) Create(ctx context.Context, key string, value []byte) error {
	value = bytes.Clone(value)
	return f.p.write(
		ctx,
		Op{Resource: f.name, Method: "Create", Key: key},
		func(ctx context.Context) error { return f.kv.Create(ctx, key, value) },
	)
}

// Update implements store.KV.
func (f faultyKV) Update(ctx context.Context, key string, value []byte, revision uint64) error {
	value = bytes.Clone(value)
	return f.p.write(
		ctx,
		Op{Resource: f.name, Method: "Update", Key: key, Seq: revision},
		func(ctx context.Context) error {
			return f.kv.Update(ctx, key, value, revision)
		},
	)
}
