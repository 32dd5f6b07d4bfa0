package tlsfiles

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/settings"
)

// checkInterval is the shortest time between two looks at the files.
const checkInterval = time.Second

// Server is the certificate of a server, and the CAs of its clients, in files that may change.
// Several goroutines may use it at a time.
type Server struct {
	flags   settings.TLSFlags
	logger  *slog.Logger
	current atomic.Pointer[tls.Config]

	mu      sync.Mutex
	checked time.Time // when the files were looked at last
	seen    contents  // what they contained when they were all readable
	failure string    // why they are not in force; empty if they are
}

// contents are the texts of the files. They are compared whole: they are short, and neither a time
// nor a length tells for certain that a file is the same.
type contents struct{ cert, key, ca string }

// Open reads the files. It returns nil without an error if none is named. Errors wrap
// settings.ErrInvalid. A nil logger is silent.
func Open(f settings.TLSFlags, logger *slog.Logger) (*Server, error) {
	if !f.Given() {
		return nil, nil
	}
	if err := f.Check(); err != nil {
		return nil, err
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{flags: f, logger: logger, checked: time.Now()}
	c, err := s.read()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	cfg, err := s.parse(c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", settings.ErrInvalid, err)
	}
	if err := expired(cfg.Certificates[0], s.checked); err != nil { // another one may come while this one runs
		logger.Error("clients will refuse the server", "cert", f.ServerCert, "cause", err)
	}
	s.seen = c
	s.current.Store(cfg)
	return s, nil
}

// Config returns the configuration for a listener. Each handshake takes the files as they are, or
// as they were when they last could be used.
func (s *Server) Config() *tls.Config {
	return &tls.Config{
		MinVersion: minVersion,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			s.check(time.Now())
			return s.current.Load(), nil
		},
	}
}

// check reads the files again unless that was done a moment ago. Other handshakes do not wait for
// it.
func (s *Server) check(now time.Time) {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if now.Sub(s.checked) < checkInterval {
		return
	}
	s.checked = now
	changed, err := s.reload(now)
	switch {
	case changed:
		s.failure = ""
		s.logger.Info("TLS files have changed, and are in force", "cert", s.flags.ServerCert)
	case err != nil && s.failure != err.Error():
		s.failure = err.Error()
		s.logger.Error("TLS files cannot be used, and the earlier ones stay in force", "cause", err)
	}
}

// reload takes the files if they have changed. A writer may be half done, so an error is final only
// for the content that was read.
func (s *Server) reload(now time.Time) (changed bool, err error) {
	c, err := s.read()
	if err != nil || c == s.seen {
		return false, err
	}
	s.seen = c
	cfg, err := s.parse(c)
	if err == nil {
		err = expired(cfg.Certificates[0], now)
	}
	if err != nil {
		return false, err
	}
	s.current.Store(cfg)
	return true, nil
}

// read returns what the files contain.
func (s *Server) read() (c contents, err error) {
	for _, f := range []struct {
		flag, path string
		text       *string
	}{
		{"--tls-cert", s.flags.ServerCert, &c.cert}, {"--tls-key", s.flags.ServerKey, &c.key},
		{"--tls-client-ca", s.flags.ClientCA, &c.ca},
	} {
		if f.path == "" {
			continue
		}
		text, err := readFile(f.path)
		if err != nil {
			return c, fmt.Errorf("%s: %w", f.flag, err)
		}
		*f.text = string(text)
	}
	return c, nil
}

// parse returns the configuration of a handshake.
func (s *Server) parse(c contents) (*tls.Config, error) {
	cert, err := tls.X509KeyPair([]byte(c.cert), []byte(c.key)) // an error repeats nothing of the key
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", s.flags.ServerCert, s.flags.ServerKey, err)
	}
	cfg := &tls.Config{
		MinVersion:   minVersion,
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if s.flags.ClientCA == "" {
		return cfg, nil
	}
	if cfg.ClientCAs, err = pool([]byte(c.ca)); err != nil {
		return nil, fmt.Errorf("--tls-client-ca %s: %w", s.flags.ClientCA, err)
	}
	cfg.ClientAuth = tls.VerifyClientCertIfGiven
	return cfg, nil
}
