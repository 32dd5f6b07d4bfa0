package query

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"

	"github.com/sealstream/sealstream/pkg/api"
)

// barren remembers the full parts in which a filter matches nothing that a caller sees, for the
// filters that were asked last. A rare filter has matches in few parts and would otherwise search
// all of them again for every page. A full part never changes, so what is remembered stays true for
// its index.
type barren struct {
	mu          sync.Mutex
	now, before map[filterKey]marks // before: asked less recently
}

type filterKey [sha256.Size]byte

// marks has a bit for each full part. Parts behind its end are not remembered.
type marks []atomic.Uint64

// maxBarren is how many filters now and before have each, at most. One takes about 150 bytes, and a
// bit for each part.
const maxBarren = 2048

// of returns the marks of a normal filter for a caller, in an index of so many parts.
func (b *barren) of(who *sight, f api.Filter, parts int) marks {
	key := filterKey(sha256.Sum256([]byte(who.text() + filterText(f))))
	b.mu.Lock()
	defer b.mu.Unlock()
	m, there := b.now[key]
	if !there {
		m = b.before[key]
	}
	if 64*len(m) < parts { // it is new, or the log has grown
		grown := make(marks, parts/64+1)
		for i := range m {
			grown[i].Store(m[i].Load())
		}
		m, there = grown, false
	}
	if there {
		return m
	}
	if b.now == nil || len(b.now) >= maxBarren {
		b.now, b.before = map[filterKey]marks{}, b.now
	}
	b.now[key] = m
	return m
}

func (m marks) has(part int) bool {
	return part < 64*len(m) && m[part/64].Load()>>(part%64)&1 == 1
}

func (m marks) set(part int) {
	if part < 64*len(m) {
		m[part/64].Or(1 << (part % 64))
	}
}
