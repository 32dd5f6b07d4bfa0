package query

import (
	"container/list"
	"sync"
)

// cache keeps the most recently used message bodies, up to a number of bytes. A caller checks a
// body from the cache like one from the store, unless it was checked before it was put there.
type cache[K comparable] struct {
	mu    sync.Mutex
	limit int
	bytes int
	order *list.List // of *cached[K], the most recently used first
	byKey map[K]*list.Element
}

// cacheKey names a message of PAYLOADS or of SEALED.
type cacheKey struct {
	payloads bool
	seq      uint64
}

type cached[K comparable] struct {
	key   K
	body  []byte
	bytes int
}

func newCache[K comparable](limit int) *cache[K] {
	return &cache[K]{limit: limit, order: list.New(), byKey: map[K]*list.Element{}}
}

func (c *cache[K]) get(key K) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, there := c.byKey[key]
	if !there {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached[K]).body, true
}

func (c *cache[K]) put(key K, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
	const overhead = 256 // memory of the list, the map and the message header
	v := &cached[K]{key, body, len(body) + overhead}
	c.byKey[key] = c.order.PushFront(v)
	c.bytes += v.bytes
	for c.bytes > c.limit {
		c.remove(c.order.Back().Value.(*cached[K]).key)
	}
}

// drop removes a body, so that the next get misses it.
func (c *cache[K]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
}

func (c *cache[K]) remove(key K) {
	if e, there := c.byKey[key]; there {
		c.order.Remove(e)
		delete(c.byKey, key)
		c.bytes -= e.Value.(*cached[K]).bytes
	}
}
