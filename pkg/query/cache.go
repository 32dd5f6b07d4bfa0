package query

import (
	"container/list"
	"sync"
)

// cache keeps the bodies that were used last, up to a number of bytes. What it gives is checked again at every use, like what the store gives,
// unless whoever put it there had checked it.
type cache[K comparable] struct {
	mu    sync.Mutex
	most  int
	bytes int
	order *list.List // of *cached[K], the one used last in front
	byKey map[K]*list.Element
}

// cacheKey is a message: of PAYLOADS, or else of SEALED.
type cacheKey struct {
	payloads bool
	seq      uint64
}

type cached[K comparable] struct {
	key   K
	body  []byte
	bytes int
}

func newCache[K comparable](most int) *cache[K] {
	return &cache[K]{most: most, order: list.New(), byKey: map[K]*list.Element{}}
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
	const overhead = 256 // of the list, the map and the message itself
	v := &cached[K]{key, body, len(body) + overhead}
	c.byKey[key] = c.order.PushFront(v)
	c.bytes += v.bytes
	for c.bytes > c.most {
		c.remove(c.order.Back().Value.(*cached[K]).key)
	}
}

// drop forgets a body, so that it is read anew.
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
