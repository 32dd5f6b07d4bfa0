package natsd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/sealstream/sealstream/streams/subject"
)

// broken records why a stream of the server accepts no more messages. After one failed write
// JetStream disables a stream until the server is restarted, and reports that only in its log.
type broken struct {
	mu   sync.Mutex
	why  string
	told chan struct{} // closed once there is a reason; nil until somebody asks
}

// final are words in the server's log with which it disables a stream, a consumer or JetStream as a
// whole.
var final = []string{"critical write error", "disabling jetstream", "will be disabled"}

func (b *broken) note(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	lower := strings.ToLower(text)
	for _, words := range final {
		if strings.Contains(lower, words) {
			b.set(text)
			return
		}
	}
}

func (b *broken) set(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why != "" {
		return
	}
	b.why = why
	close(b.channel())
}

// channel returns the channel, and creates it if needed. b.mu is held.
func (b *broken) channel() chan struct{} {
	if b.told == nil {
		b.told = make(chan struct{})
	}
	return b.told
}

func (b *broken) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why != "" {
		b.why, b.told = "", nil
	}
}

// Broken returns a channel that is closed once a write to a stream has failed. Only Restart makes
// the stream accept messages again.
func (s *Server) Broken() <-chan struct{} {
	s.broken.mu.Lock()
	defer s.broken.mu.Unlock()
	return s.broken.channel()
}

// GiveUp marks the server as Broken for a reason that its log does not show, such as that it no
// longer answers.
func (s *Server) GiveUp(why string) { s.broken.set(why) }

// Why returns the reason for Broken, usually in the server's words, or "".
func (s *Server) Why() string {
	s.broken.mu.Lock()
	defer s.broken.mu.Unlock()
	return s.broken.why
}

// Restart restarts the server with the same address, folder and users. Connections reconnect by
// themselves. Acknowledged messages stay; a message that was being written may be stored or not.
// After an error no server runs. Restart may then be called again, except after ErrStuck, when only
// a new process helps.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.stop(); err != nil {
		return err
	}
	s.broken.reset()
	opts, err := s.options()
	if err != nil {
		return err
	}
	if err := s.run(ctx, opts); err != nil {
		return err
	}
	if err := s.loadAll(ctx); err != nil {
		return err
	}
	if s.refusing.Load() {
		return s.Refuse()
	}
	return nil
}

// inProcess connects to the server that currently runs.
type inProcess struct{ s *Server }

// InProcessConn implements nats.InProcessConnProvider.
func (p inProcess) InProcessConn() (net.Conn, error) { return p.s.running.Load().InProcessConn() }

// RefusedSubject returns the subject to which the server redirects events of anonymous clients
// while it refuses them, so that a responder can say why.
func (s *Server) RefusedSubject() string { return subject.Refused(s.cfg.Log, "*") }

// Refuse redirects the events of anonymous clients to RefusedSubject, which keeps them out of
// EVENTS, until Accept.
func (s *Server) Refuse() error {
	s.refusing.Store(true)
	a, err := s.agents()
	if err != nil {
		return err
	}
	if err := a.AddMapping(subject.Events(s.cfg.Log, "*"), subject.Refused(s.cfg.Log, "$1")); err != nil {
		return fmt.Errorf("refuse events: %w", err)
	}
	return nil
}

// Accept ends the redirection of Refuse.
func (s *Server) Accept() error {
	s.refusing.Store(false)
	a, err := s.agents()
	if err != nil {
		return err
	}
	a.RemoveMapping(subject.Events(s.cfg.Log, "*"))
	return nil
}

func (s *Server) agents() (*server.Account, error) {
	a, err := s.running.Load().LookupAccount(accountAgents)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", accountAgents, errors.Join(ErrStart, err))
	}
	return a, nil
}
