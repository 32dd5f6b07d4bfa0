package store

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Parses lets several followers of a log in one process parse each message of SEALED once. Each
// follower still reads SEALED by itself, and takes a result only if it was made of the very bytes
// that it has read, with the same keys. What is shared must not be changed.
type Parses struct {
	mu        sync.Mutex
	followers int     // walks under way
	recent    []*once // oldest first
	bytes     int     // bodies of recent
}

// once is one message that a follower has parsed, or is about to.
type once struct {
	message entry.Message
	keys    []string
	left    int // followers that may still ask
	done    chan struct{}
	parsed  audit.Parsed
}

// Limits of what waits for followers that are behind.
const (
	maxParses     = 16
	maxParseBytes = 1 << 20
)

// join counts a follower until leave is called.
func (p *Parses) join() (leave func()) {
	if p == nil {
		return func() {}
	}
	p.mu.Lock()
	p.followers++
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		p.followers--
		p.mu.Unlock()
	}
}

// parser returns parse, or what shares its results between the followers that have joined.
func (p *Parses) parser(keys []string, parse func(entry.Message) audit.Parsed) func(entry.Message) audit.Parsed {
	if p == nil {
		return parse
	}
	return func(m entry.Message) audit.Parsed {
		o, mine := p.find(m, keys)
		if o == nil {
			return parse(m)
		}
		if mine {
			defer close(o.done) // after parse, also if it panics
			o.parsed = parse(m)
			return o.parsed
		}
		<-o.done
		if o.parsed.Seq != m.Seq {
			return parse(m)
		}
		return o.parsed
	}
}

// find returns the message among the recent ones, or adds it. mine says that the caller must parse
// it. It returns nil if there is nobody to share with.
func (p *Parses) find(m entry.Message, keys []string) (o *once, mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, o := range p.recent {
		if o.message.Seq == m.Seq && o.same(m, keys) {
			if o.left--; o.left == 0 {
				p.drop(i)
			}
			return o, false
		}
	}
	if p.followers < 2 || len(m.Data) > maxParseBytes {
		return nil, false
	}
	for len(p.recent) >= maxParses || p.bytes+len(m.Data) > maxParseBytes {
		p.drop(0)
	}
	o = &once{message: m, keys: keys, left: p.followers - 1, done: make(chan struct{})}
	p.recent, p.bytes = append(p.recent, o), p.bytes+len(m.Data)
	return o, true
}

func (p *Parses) drop(i int) {
	p.bytes -= len(p.recent[i].message.Data)
	p.recent = slices.Delete(p.recent, i, i+1)
}

// same reports whether parsing gives the same result: it depends on all of a message that it
// compares, and on the keys.
func (o *once) same(m entry.Message, keys []string) bool {
	return bytes.Equal(o.message.Data, m.Data) && o.message.Subject == m.Subject && slices.Equal(o.keys, keys) &&
		maps.EqualFunc(o.message.Header, m.Header, slices.Equal)
}
