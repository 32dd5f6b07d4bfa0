package query

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// minExportRate is the least rate, in bytes a second, at which the client of an export must
	// read. An export that has fallen behind it by exportCredit is cut off.
	minExportRate = 16 << 10
	exportCredit  = 10 * time.Second
	// exportStallTimeout is how long an export may wait for its client before it must give way to
	// another client's export.
	exportStallTimeout = 2 * time.Second
	// exportWriteSize is the size of one write, so that a large entry does not cut off a client
	// that reads slowly.
	exportWriteSize = 64 << 10
)

// places holds the running exports, or the large answers. No client may have more than half of
// them. One whose client does not read gives way to the next one.
type places struct {
	limit        int
	full         error         // that there are none
	credit       time.Duration // exportCredit
	stallTimeout time.Duration // exportStallTimeout, or shorter in tests

	mu    sync.Mutex
	taken []*place
}

// place is one running export.
type place struct {
	all       *places
	client    string
	interrupt func()    // ends the export; nil if nobody can
	since     time.Time // when it started to wait for its client; zero if it does not
	evicted   bool      // another export has its place
}

// perClient returns how many exports a client may run.
func (p *places) perClient() int { return max(1, p.limit/2) }

// enter takes a place for a client. An empty client is this process itself, which may take all
// places.
func (p *places) enter(client string, cut func()) (*place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := 0
	for _, x := range p.taken {
		if x.client == client {
			open++
		}
	}
	crowded := client != "" && open >= p.perClient()
	if (crowded || len(p.taken) >= p.limit) && !p.evict(func(x *place) bool { return !crowded || x.client == client }) {
		if crowded && len(p.taken) < p.limit {
			return nil, fmt.Errorf("%w: %d of them are yours", p.full, open)
		}
		return nil, p.full
	}
	x := &place{all: p, client: client, interrupt: cut}
	p.taken = append(p.taken, x)
	return x, nil
}

// evict ends the eligible export that has waited longest for its client.
func (p *places) evict(eligible func(*place) bool) bool {
	var worst *place
	for _, x := range p.taken {
		if x.interrupt != nil && eligible(x) && !x.since.IsZero() && time.Since(x.since) >= p.stallTimeout &&
			(worst == nil || x.since.Before(worst.since)) {
			worst = x
		}
	}
	if worst == nil {
		return false
	}
	worst.evicted = true
	worst.interrupt()
	p.remove(worst)
	return true
}

func (p *places) remove(x *place) {
	for i := range p.taken {
		if p.taken[i] == x {
			p.taken = append(p.taken[:i], p.taken[i+1:]...)
			return
		}
	}
}

// leave frees the place.
func (x *place) leave() {
	x.all.mu.Lock()
	defer x.all.mu.Unlock()
	x.interrupt = nil
	x.all.remove(x)
}

// wait records that the export waits for its client from now on, or, with nil, no longer. It
// returns an error if the place was given to another export.
func (x *place) wait(start func()) error {
	x.all.mu.Lock()
	defer x.all.mu.Unlock()
	if x.evicted {
		return os.ErrDeadlineExceeded
	}
	if x.since = (time.Time{}); start != nil {
		start() // interrupt overrides it
		x.since = time.Now()
	}
	return nil
}

// clientOf identifies the client: by its address and, behind a proxy, the address that the nearest
// proxy names.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if via := r.Header.Values("X-Forwarded-For"); len(via) > 0 {
		last := via[len(via)-1]
		host += " for " + strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	}
	return host
}

// pacedWriter writes to a client that must read at least at minExportRate.
type pacedWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	place   *place
	credit  time.Duration
}

func (p *pacedWriter) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		piece := b[:min(len(b), exportWriteSize)]
		var took int
		err = p.timed(len(piece), func() (err error) { took, err = p.w.Write(piece); return err })
		n, b = n+took, b[len(piece):]
	}
	return n, err
}

// flush flushes all buffers, so that nothing remains that could wait for the client without a
// limit.
func (p *pacedWriter) flush() error {
	if err := p.timed(0, p.control.Flush); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// timed runs a write that may wait for the client.
func (p *pacedWriter) timed(size int, write func() error) error {
	start := time.Now()
	// A ResponseWriter without deadlines has none.
	if err := p.place.wait(func() { _ = p.control.SetWriteDeadline(start.Add(p.credit)) }); err != nil {
		return err
	}
	err := write()
	if over := p.place.wait(nil); err == nil {
		err = over
	}
	p.credit = min(p.place.all.credit, p.credit-time.Since(start)+time.Duration(size)*time.Second/minExportRate)
	return err
}
