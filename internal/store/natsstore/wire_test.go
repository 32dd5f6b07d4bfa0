package natsstore_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire is a TCP connection to a server that can be cut, held and closed for good.
type wire struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	down  bool // new connections are refused
	held  bool // what the server says stays on the wire
	free  *sync.Cond
	conns []net.Conn
}

func newWire(t *testing.T, server string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, server: server}
	w.free = sync.NewCond(&w.mu)
	t.Cleanup(func() { l.Close(); w.hold(false); w.cut(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.join(c)
		}
	}()
	return w
}

func (w *wire) join(client net.Conn) {
	server, err := net.Dial("tcp", w.server)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || w.down {
		client.Close()
		if err == nil {
			server.Close()
		}
		return
	}
	w.conns = append(w.conns, client, server)
	go func() { io.Copy(server, client); server.Close() }()
	go func() {
		defer client.Close()
		for buf := make([]byte, 64<<10); ; {
			n, err := server.Read(buf)
			w.mu.Lock()
			for w.held {
				w.free.Wait()
			}
			w.mu.Unlock()
			if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
}

func (w *wire) hold(held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = held
	w.free.Broadcast()
}

func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}
