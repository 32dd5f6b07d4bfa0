package sealer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// The store as a client sees it: the truth, through what can go wrong on the way.

var errBroken = errors.New("connection broken")

// log is the log as this client sees it.
func (c *client) log() *store.Log {
	w := c.w
	return &store.Log{
		Name:     testLog,
		Events:   &simStream{c, "events", func() *store.MemoryStream { return w.log.Events.(*store.MemoryStream) }},
		Sealed:   &simStream{c, "sealed", func() *store.MemoryStream { return w.log.Sealed.(*store.MemoryStream) }},
		Payloads: &simStream{c, "payloads", func() *store.MemoryStream { return w.log.Payloads.(*store.MemoryStream) }},
		Head:     &simKV{c, "head", w.log.Head}, Cursors: &simKV{c, "cursors", w.log.Cursors},
	}
}

// read runs a question, whose answer may be an error.
func (c *client) read(ctx context.Context, name string, ready func() bool, ask func() error) error {
	var err error
	if over := c.do(ctx, name, ready, func() {
		// its connection went with the broker
		if strings.HasPrefix(name, "events.") && !strings.HasPrefix(name, "events.next") && c.age != c.w.losses {
			c.age = c.w.losses
			err = errBroken
		} else if !c.w.calm && c.w.hits(c.w.plan.broken) {
			err = errBroken
		}
		if err != nil {
			c.w.note("  broken")
			return
		}
		err = ask()
	}); over != nil {
		return over
	}
	return err
}

// outdated says whether this answer shall be an old one.
func (c *client) outdated() bool {
	if c.w.calm || !c.sealer || !c.w.hits(c.w.plan.stale) {
		return false
	}
	c.stale++
	c.w.note("  stale")
	return true
}

// write runs a write: it is done, or not, or later; and the client learns of it, or not.
func (c *client) write(ctx context.Context, name string, land func() (uint64, error)) (uint64, error) {
	var seq uint64
	var err error
	if over := c.do(ctx, name, nil, func() { seq, err = c.send(name, land) }); over != nil {
		return 0, over
	}
	return seq, err
}

func (c *client) send(name string, land func() (uint64, error)) (uint64, error) {
	w := c.w
	if strings.HasPrefix(name, "events.") && !strings.HasPrefix(name, "events.next") && c.age != w.losses {
		c.age = w.losses
		return 0, errBroken
	}
	if w.calm || !w.hits(w.plan.writes) {
		return land()
	}
	switch w.rng.IntN(4) {
	case 0:
		w.note("  lost on the way")
	case 1:
		w.note("  done, and the answer lost")
		land()
	case 2, 3:
		w.note("  delayed")
		w.wire = append(w.wire, delayed{c.name + ": " + name, func() {
			if _, err := land(); err != nil {
				w.note("  %v", err)
			}
		}})
	}
	return 0, store.ErrAmbiguous
}

type simStream struct {
	c     *client
	name  string
	truth func() *store.MemoryStream
}

var background = context.Background()

func (s *simStream) Info(ctx context.Context) (info store.Info, err error) {
	err = s.c.read(ctx, s.name+".info", nil, func() (err error) {
		if info, err = s.truth().Info(background); err == nil && s.c.outdated() {
			info.Last -= min(info.Last, uint64(1+s.c.w.rng.IntN(4)))
			info.First = min(info.First, info.Last+1)
		}
		return err
	})
	return info, err
}

func (s *simStream) Get(ctx context.Context, seq uint64) (m entry.Message, err error) {
	err = s.c.read(ctx, fmt.Sprintf("%s.get %d", s.name, seq), nil, func() (err error) {
		if s.c.outdated() {
			return store.ErrNotFound
		}
		m, err = s.truth().Get(background, seq)
		return err
	})
	return m, err
}

func (s *simStream) Last(ctx context.Context, subject string) (m entry.Message, err error) {
	err = s.c.read(ctx, s.name+".last", nil, func() (err error) {
		m, err = s.truth().Last(background, subject)
		return err
	})
	return m, err
}

// land appends to the truth, and to its history.
func (s *simStream) land(m entry.Message, expectLast *uint64) (uint64, error) {
	seq, err := s.truth().Append(background, m, expectLast)
	if err != nil {
		return 0, err
	}
	stored, err := s.truth().Get(background, seq)
	if err != nil {
		return 0, err
	}
	s.c.w.landed(s.c, s.name, stored)
	return seq, nil
}

func expectation(expectLast *uint64) *uint64 { // the caller's variable may change while the write is on its way
	if expectLast == nil {
		return nil
	}
	n := *expectLast
	return &n
}

func (s *simStream) Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error) {
	expect := expectation(expectLast)
	return s.c.write(ctx, s.name+".append", func() (uint64, error) { return s.land(m, expect) })
}

func (s *simStream) AppendAsync(ctx context.Context, m entry.Message, expectLast *uint64) (store.Pending, error) {
	expect := expectation(expectLast)
	var seq uint64
	var failed error
	if err := s.c.do(ctx, s.name+".send", nil, func() {
		seq, failed = s.c.send(s.name+".send", func() (uint64, error) { return s.land(m, expect) })
	}); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (uint64, error) {
		if err := s.c.do(ctx, s.name+".ack", nil, func() {}); err != nil {
			return 0, err
		}
		return seq, failed
	}, nil
}

func (s *simStream) PurgeBelow(ctx context.Context, seq uint64) error {
	_, err := s.c.write(ctx, fmt.Sprintf("%s.purge %d", s.name, seq), func() (uint64, error) {
		return 0, s.truth().PurgeBelow(background, seq)
	})
	return err
}

func (s *simStream) SecureDelete(ctx context.Context, seq uint64) error {
	_, err := s.c.write(ctx, fmt.Sprintf("%s.delete %d", s.name, seq), func() (uint64, error) {
		return 0, s.truth().SecureDelete(background, seq)
	})
	return err
}

func (s *simStream) Read(ctx context.Context, from uint64) (store.Reader, error) {
	r := &simReader{s: s, next: max(from, 1)}
	err := s.c.read(ctx, fmt.Sprintf("%s.read %d", s.name, from), nil, func() error {
		r.age = s.c.w.losses
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// simReader gives what there is in pieces. When EVENTS has lost something, it breaks, or goes on as
// store.Reopener says.
type simReader struct {
	s     *simStream
	next  uint64
	age   int // how often EVENTS had lost something when it was opened
	opens int
}

func (r *simReader) Close() {}

func (r *simReader) Reopened() int { return r.opens }

func (r *simReader) aged() bool { return r.s.name == "events" && r.age != r.s.c.w.losses }

func (r *simReader) Next(ctx context.Context, limit int) (list []entry.Message, err error) {
	ready := func() bool { return r.aged() || r.s.first(r.next) != 0 }
	for len(list) == 0 && err == nil {
		err = r.s.c.read(ctx, fmt.Sprintf("%s.next %d", r.s.name, r.next), ready, func() error {
			if r.aged() {
				if r.age = r.s.c.w.losses; r.s.c.w.rng.IntN(2) == 0 {
					return errBroken
				}
				r.opens++
			}
			list = r.take(limit)
			return nil
		})
	}
	return list, err
}

// first is the first sequence from next on that there is, or 0.
func (s *simStream) first(next uint64) uint64 {
	info, err := s.truth().Info(background)
	if err != nil || info.Last < next {
		return 0
	}
	for next = max(next, info.First); next <= info.Last; next++ {
		if _, err := s.truth().Get(background, next); err == nil {
			return next
		}
	}
	return 0
}

func (r *simReader) take(limit int) []entry.Message {
	w := r.s.c.w
	var list []entry.Message
	for want := 1 + w.rng.IntN(min(limit, 8)); len(list) < want; {
		seq := r.s.first(r.next)
		if seq == 0 {
			break
		}
		r.next = seq + 1
		if r.s.name == "events" && r.s.c.sealer && r.s.first(seq+1) != 0 && w.leavesOut(seq) {
			continue
		}
		m, err := r.s.truth().Get(background, seq)
		if err != nil {
			panic(err)
		}
		list = append(list, m)
	}
	return list
}

type simKV struct {
	c     *client
	name  string
	truth store.KV
}

func (k *simKV) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	err = k.c.read(ctx, k.name+".get "+key, nil, func() (err error) {
		value, revision, err = k.truth.Get(background, key)
		return err
	})
	return value, revision, err
}

func (k *simKV) write(ctx context.Context, verb, key string, value []byte, do func() error) error {
	_, err := k.c.write(ctx, k.name+"."+verb+" "+key, func() (uint64, error) {
		err := do()
		if err == nil && k.name == "head" {
			k.c.w.head(value)
		}
		return 0, err
	})
	return err
}

func (k *simKV) Put(ctx context.Context, key string, value []byte) error {
	return k.write(ctx, "put", key, value, func() error { return k.truth.Put(background, key, value) })
}

func (k *simKV) Create(ctx context.Context, key string, value []byte) error {
	return k.write(ctx, "create", key, value, func() error { return k.truth.Create(background, key, value) })
}

func (k *simKV) Update(ctx context.Context, key string, value []byte, revision uint64) error {
	return k.write(ctx, "update", key, value, func() error { return k.truth.Update(background, key, value, revision) })
}

// simMark is the mark file of a host.
type simMark struct {
	c    *client
	host *[]byte
}

func (m simMark) read() (note []byte, err error) {
	if over := m.c.do(background, "mark.read", nil, func() {
		if note = *m.host; note == nil {
			err = fs.ErrNotExist
		}
	}); over != nil {
		return nil, over
	}
	return note, err
}

func (m simMark) write(note []byte) error {
	return m.c.do(background, "mark.write", nil, func() {
		*m.host = note
		m.c.w.checkpoint(note, "mark of "+m.c.name)
	})
}
