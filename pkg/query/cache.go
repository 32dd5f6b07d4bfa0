package query

import (
	"container/list"
	"sync"
)

// cache keeps the bodies of the messages read last, up to a number of bytes. What it gives is checked again at every use, like what
// the store gives.
type cache struct {
	mu    sync.Mutex
	most  int
	bytes int
	order *list.List // of *cached, the one used last in front
	byKey map[cacheKey]*list.Element
}

// cacheKey is a message: of PAYLOADS, or else of SEALED.
type cacheKey struct {
	payloads bool
	seq      uint64
}

type cached struct {
	key   cacheKey
	body  []byte
	bytes int
}

func newCache(most int) *cache {
	return &cache{most: most, order: list.New(), byKey: map[cacheKey]*list.Element{}}
}

func (c *cache) get(key cacheKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, there := c.byKey[key]
	if !there {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).body, true
}

func (c *cache) put(key cacheKey, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
	const overhead = 256 // of the list, the map and the message itself
	v := &cached{key, body, len(body) + overhead}
	c.byKey[key] = c.order.PushFront(v)
	c.bytes += v.bytes
	for c.bytes > c.most {
		c.remove(c.order.Back().Value.(*cached).key)
	}
}

// drop forgets a message, so that it is read anew.
func (c *cache) drop(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
}

func (c *cache) remove(key cacheKey) {
	if e, there := c.byKey[key]; there {
		c.order.Remove(e)
		delete(c.byKey, key)
		c.bytes -= e.Value.(*cached).bytes
	}
}
