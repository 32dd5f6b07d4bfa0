package archive

import (
	"container/list"
	"context"
	"os"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
)

// files caches objects as local files, up to a number of bytes, so that a frame can be read without
// fetching the whole object again. The files have no names, so nothing is left behind. A file that
// is dropped while it is read stays open until that ends.
type files struct {
	limit int64

	mu    sync.Mutex
	bytes int64
	order list.List // of *localFile, the most recently used first
	busy  map[string]chan struct{}
}

type localFile struct {
	key   string
	file  *os.File // closed by the garbage collector
	bytes int64
}

// get returns a cached file, or fetches it. Concurrent callers wait for one fetch, and try
// themselves if that fails.
func (c *files) get(ctx context.Context, key string, size int64, fetch func() (*os.File, error)) (*os.File, error) {
	for {
		f, wait := c.find(key)
		if f != nil {
			return f, nil
		}
		if wait == nil {
			break
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f, err := fetch()
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.busy[key])
	delete(c.busy, key)
	if err != nil {
		return nil, err
	}
	c.order.PushFront(&localFile{key, f, size})
	for c.bytes += size; c.bytes > c.limit && c.order.Len() > 1; {
		oldest := c.order.Remove(c.order.Back()).(*localFile)
		c.bytes -= oldest.bytes
	}
	return f, nil
}

// find returns the file, or a channel to wait for while another caller fetches it. If it returns
// neither, the caller must fetch it.
func (c *files) find(key string) (*os.File, chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Front(); e != nil; e = e.Next() {
		if l := e.Value.(*localFile); l.key == key {
			c.order.MoveToFront(e)
			return l.file, nil
		}
	}
	if wait := c.busy[key]; wait != nil {
		return nil, wait
	}
	if c.busy == nil {
		c.busy = map[string]chan struct{}{}
	}
	c.busy[key] = make(chan struct{})
	return nil, nil
}

// drop removes a file from the cache.
func (c *files) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Front(); e != nil; e = e.Next() {
		if l := e.Value.(*localFile); l.key == key {
			c.bytes -= l.bytes
			c.order.Remove(e)
			return
		}
	}
}

// decoded caches the most recently decoded frames: messages of one frame are mostly read together.
type decoded struct {
	mu   sync.Mutex
	list []decodedFrame // oldest first
}

type decodedFrame struct {
	key      string
	frame    int
	messages []entry.Message
}

// maxDecoded limits the cached frames, which take a few MiB.
const maxDecoded = 16

func (d *decoded) get(key string, frame int) []entry.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.list) - 1; i >= 0; i-- {
		if f := d.list[i]; f.key == key && f.frame == frame {
			d.list = append(append(d.list[:i:i], d.list[i+1:]...), f)
			return f.messages
		}
	}
	return nil
}

func (d *decoded) put(key string, frame int, messages []entry.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.list) == maxDecoded {
		d.list = append([]decodedFrame(nil), d.list[1:]...)
	}
	d.list = append(d.list, decodedFrame{key, frame, messages})
}

func (d *decoded) drop(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var kept []decodedFrame
	for _, f := range d.list {
		if f.key != key {
			kept = append(kept, f)
		}
	}
	d.list = kept
}
