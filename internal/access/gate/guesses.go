package gate

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits of wrong credentials from one address.
const (
	maxGuesses    = 30          // in guessPeriod; more are answered with 429
	guessPeriod   = time.Minute // counts are forgotten after one to two periods
	maxAddresses  = 16_384      // that are counted; those beyond share one count
	guessPatience = time.Second // how long a JWT from a limited address waits for its turn
)

// errGuesses reports that too many wrong credentials came from an address.
var errGuesses = errors.New("too many wrong credentials came from this address; try again in a minute")

// guesses counts wrong credentials by address. A token cannot be guessed, so the count protects
// the log file and the processor, and a right token is accepted from every address. Behind a proxy,
// all clients have one address.
type guesses struct {
	mu     sync.Mutex
	until  time.Time // when the period ends
	counts map[netip.Addr]int
	before map[netip.Addr]int // of the period before
	turns  chan struct{}      // of JWTs from limited addresses: one at a time
}

// add counts a wrong credential and reports whether the address has sent too many.
func (g *guesses) add(remote string, now time.Time) bool {
	addr := addressOf(remote)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.roll(now)
	if _, known := g.counts[addr]; !known && len(g.counts) >= maxAddresses {
		addr = netip.Addr{}
	}
	g.counts[addr]++
	return g.counts[addr]+g.before[addr] > maxGuesses
}

// roll forgets the older counts when a period is over.
func (g *guesses) roll(now time.Time) {
	if g.counts != nil && now.Before(g.until) {
		return
	}
	g.before, g.counts = g.counts, map[netip.Addr]int{}
	if now.After(g.until.Add(guessPeriod)) {
		g.before = nil
	}
	g.until = now.Add(guessPeriod)
}

// turn lets the JWTs of limited addresses be checked one at a time: their signatures cost more than
// it costs to invent them. done is nil for other addresses.
func (g *guesses) turn(ctx context.Context, remote string) (done func(), err error) {
	addr := addressOf(remote)
	g.mu.Lock()
	limited := g.counts[addr]+g.before[addr] > maxGuesses
	if g.turns == nil {
		g.turns = make(chan struct{}, 1)
	}
	turns := g.turns
	g.mu.Unlock()
	if !limited {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, guessPatience)
	defer cancel()
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, nil
	case <-ctx.Done():
		return nil, errGuesses
	}
}

// addressOf returns the address of a client. Of an IPv6 address it is the network of 64 bits, all
// of which one client can have.
func addressOf(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, _ := netip.ParseAddr(host)
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		addr = prefix.Addr()
	}
	return addr
}
