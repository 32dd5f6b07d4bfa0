package store

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/entry"
)

// counted is a parser that counts, and that tells whose result it is.
func counted(n *atomic.Int64) func(entry.Message) audit.Parsed {
	return func(m entry.Message) audit.Parsed {
		n.Add(1)
		p := audit.Parsed{Seq: m.Seq}
		p.Batch.Checkpoint = bytes.Clone(m.Data)
		return p
	}
}

func message(seq uint64, header, data string) entry.Message {
	return entry.Message{Subject: "s", Header: entry.Header{"h": {header}}, Data: []byte(data), Seq: seq}
}

// TestParsesAreShared: each message is parsed once for all followers that have joined, whoever comes first,
// and nothing is kept of it afterwards.
func TestParsesAreShared(t *testing.T) {
	for followers := 1; followers <= 3; followers++ {
		var p Parses
		var n atomic.Int64
		var group sync.WaitGroup
		var leave []func()
		for range followers {
			leave = append(leave, p.join())
		}
		const messages = maxParses / 2
		for range followers {
			group.Go(func() {
				parse := p.parser([]string{"k"}, counted(&n))
				for seq := uint64(1); seq <= messages; seq++ {
					if got := parse(message(seq, "a", "b")); got.Seq != seq || string(got.Batch.Checkpoint) != "b" {
						t.Errorf("%+v", got)
					}
				}
			})
		}
		group.Wait()
		if n.Load() != messages || len(p.recent) != 0 || p.bytes != 0 {
			t.Errorf("%d followers: %d parses, %d kept with %d bytes", followers, n.Load(), len(p.recent), p.bytes)
		}
		for _, f := range leave {
			f()
		}
		if p.followers != 0 {
			t.Errorf("%d followers are left", p.followers)
		}
	}
}

// TestParsesOfOtherBytes: a follower to whom the store shows anything else parses by itself, and so does one
// with other keys.
func TestParsesOfOtherBytes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(m *entry.Message)
		keys   []string
	}{
		"data":         {func(m *entry.Message) { m.Data = []byte("c") }, []string{"k"}},
		"header":       {func(m *entry.Message) { m.Header = entry.Header{"h": {"c"}} }, []string{"k"}},
		"header twice": {func(m *entry.Message) { m.Header = entry.Header{"h": {"a", "a"}} }, []string{"k"}},
		"no header":    {func(m *entry.Message) { m.Header = nil }, []string{"k"}},
		"subject":      {func(m *entry.Message) { m.Subject = "t" }, []string{"k"}},
		"sequence":     {func(m *entry.Message) { m.Seq++ }, []string{"k"}},
		"keys":         {func(*entry.Message) {}, []string{"k", "l"}},
		"no keys":      {func(*entry.Message) {}, nil},
	} {
		var p Parses
		p.join()
		p.join()
		var n atomic.Int64
		m := message(1, "a", "b")
		p.parser([]string{"k"}, counted(&n))(m)
		c.change(&m)
		if got := p.parser(c.keys, counted(&n))(m); n.Load() != 2 || got.Seq != m.Seq ||
			string(got.Batch.Checkpoint) != string(m.Data) {
			t.Errorf("%s: %d parses, %+v", name, n.Load(), got)
		}
	}
}

// TestParsesAreBounded: what a follower that is behind does not fetch makes room for what comes.
func TestParsesAreBounded(t *testing.T) {
	var p Parses
	p.join()
	p.join()
	var n atomic.Int64
	parse := p.parser(nil, counted(&n))
	for seq := uint64(1); seq <= 100; seq++ {
		size := []int{1, maxParseBytes / 3, maxParseBytes, maxParseBytes + 1}[seq%4]
		parse(message(seq, "a", string(make([]byte, size))))
		if len(p.recent) > maxParses || p.bytes > maxParseBytes {
			t.Fatalf("%d are kept, with %d bytes", len(p.recent), p.bytes)
		}
	}
}

// TestParseThatPanics leaves nobody waiting.
func TestParseThatPanics(t *testing.T) {
	var p Parses
	p.join()
	p.join()
	failed := errors.New("planted")
	func() {
		defer func() {
			if got := recover(); got != failed {
				t.Errorf("%v", got)
			}
		}()
		p.parser(nil, func(entry.Message) audit.Parsed { panic(failed) })(message(1, "a", "b"))
	}()
	var n atomic.Int64
	if got := p.parser(nil, counted(&n))(message(1, "a", "b")); got.Seq != 1 || n.Load() != 1 {
		t.Errorf("%+v after %d parses", got, n.Load())
	}
}
