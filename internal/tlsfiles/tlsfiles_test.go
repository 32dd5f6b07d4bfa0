package tlsfiles

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/privateca"
	"github.com/sealstream/sealstream/internal/settings"
)

const day = 24 * time.Hour

// folder is a place of certificates.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

// write replaces a file as an editor would: not at once.
func (f folder) write(name string, text []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// authority makes an authority, whose certificate is NAME.pem.
func (f folder) authority(name string) *privateca.Authority {
	f.t.Helper()
	pair, err := privateca.New(name, 30*day, time.Now())
	if err != nil {
		f.t.Fatal(err)
	}
	f.write(name+".pem", pair.Cert)
	a, err := privateca.Load(pair)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// issue makes a certificate for a name.
func (f folder) issue(by *privateca.Authority, name string, client bool, from time.Time) privateca.Pair {
	f.t.Helper()
	n, err := privateca.ParseName(name)
	if err != nil {
		f.t.Fatal(err)
	}
	pair, err := by.Issue(privateca.Request{Names: []privateca.Name{n}, Client: client, Valid: day}, from)
	if err != nil {
		f.t.Fatal(err)
	}
	return pair
}

// flags are the files of a server.
func (f folder) flags() settings.TLSFlags {
	return settings.TLSFlags{ServerCert: f.path("s.pem"), ServerKey: f.path("s.key"), ClientCA: f.path("ca.pem")}
}

// served returns the DNS name of the server's certificate at a handshake, and the client's error.
func served(t *testing.T, s *Server, client ClientFiles) (string, error) {
	t.Helper()
	cfg, err := client.Config()
	if err != nil {
		t.Fatal(err)
	}
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.InsecureSkipVerify = true // the name is what the test asks for
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	failed := make(chan error, 1)
	go func() {
		far, err := l.Accept()
		if err == nil {
			err = far.(*tls.Conn).Handshake()
			far.Close()
		}
		failed <- err
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), cfg)
	if err != nil {
		<-failed
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].DNSNames[0], <-failed
}

// TestReload: a server takes changed files, keeps the earlier ones while they cannot be used, and
// says so once for each content.
func TestReload(t *testing.T) {
	f := folder{t, t.TempDir()}
	ca := f.authority("ca")
	old, next, late := f.issue(ca, "old", false, time.Now()), f.issue(ca, "next", false, time.Now()),
		f.issue(ca, "late", false, time.Now().Add(-2*day))
	f.write("s.pem", old.Cert)
	f.write("s.key", old.Key)
	var log bytes.Buffer
	s, err := Open(f.flags(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i, c := range []struct {
		what   string
		files  map[string][]byte // nil: the file is removed
		wait   time.Duration
		served string
		lines  int // of the log, so far
	}{
		{"nothing", nil, 2 * checkInterval, "old", 0},
		{"too early", map[string][]byte{"s.pem": next.Cert, "s.key": next.Key}, checkInterval / 2, "old", 0},
		{"in time", nil, checkInterval, "next", 1},
		{"half a pair", map[string][]byte{"s.pem": old.Cert}, checkInterval, "next", 2},
		{"still", nil, checkInterval, "next", 2},
		{"cut off", map[string][]byte{"s.pem": old.Cert[:100], "s.key": old.Key}, checkInterval, "next", 3},
		{"gone", map[string][]byte{"s.key": nil}, checkInterval, "next", 4},
		{"whole", map[string][]byte{"s.pem": old.Cert, "s.key": old.Key}, checkInterval, "old", 5},
		{"no authority", map[string][]byte{"ca.pem": []byte("\n")}, checkInterval, "old", 6},
		{"no certificates alone", map[string][]byte{"ca.pem": old.Key}, checkInterval, "old", 7},
		{"expired", map[string][]byte{"ca.pem": old.Cert, "s.pem": late.Cert, "s.key": late.Key}, checkInterval, "old", 8},
		{"at last", map[string][]byte{"s.pem": next.Cert, "s.key": next.Key}, checkInterval, "next", 9},
	} {
		for name, text := range c.files {
			if text == nil {
				os.Remove(f.path(name))
				continue
			}
			f.write(name, text)
		}
		now = now.Add(c.wait)
		s.check(now)
		s.mu.Lock()
		s.checked = now.Add(time.Hour) // the handshake below looks at nothing
		s.mu.Unlock()
		if name, err := served(t, s, ClientFiles{}); err != nil || name != c.served {
			t.Errorf("%d %s: serves %q, %v, want %q", i, c.what, name, err, c.served)
		}
		s.checked = now
		if n := strings.Count(log.String(), "\n"); n != c.lines {
			t.Errorf("%d %s: %d lines, want %d:\n%s", i, c.what, n, c.lines, log.String())
		}
	}
	for line := range strings.Lines(string(old.Key)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") && strings.Contains(log.String(), line) {
			t.Error("a key stands in the log")
		}
	}
}

// TestClientCertificates: a client may have none, but not one of an authority that the file does
// not list any more.
func TestClientCertificates(t *testing.T) {
	f := folder{t, t.TempDir()}
	ca, other := f.authority("ca"), f.authority("other")
	pair := f.issue(ca, "server", false, time.Now())
	f.write("s.pem", pair.Cert)
	f.write("s.key", pair.Key)
	for name, by := range map[string]*privateca.Authority{"own": ca, "foreign": other} {
		p := f.issue(by, "spiffe://example.com/a", true, time.Now())
		f.write(name+".pem", p.Cert)
		f.write(name+".key", p.Key)
	}
	late := f.issue(ca, "spiffe://example.com/a", true, time.Now().Add(-2*day))
	f.write("late.pem", late.Cert)
	f.write("late.key", late.Key)
	f.write("asserver.pem", pair.Cert)
	f.write("asserver.key", pair.Key)
	s, err := Open(f.flags(), nil)
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, want bool) {
		t.Helper()
		files := ClientFiles{CA: f.path("ca.pem")}
		if name != "" {
			files.Cert, files.Key = f.path(name+".pem"), f.path(name+".key")
		}
		if _, err := served(t, s, files); (err == nil) != want {
			t.Errorf("client %q: %v", name, err)
		}
	}
	try("", true)
	try("own", true)
	try("foreign", false)
	try("late", false)
	try("asserver", false)
	text, err := os.ReadFile(f.path("other.pem"))
	if err != nil {
		t.Fatal(err)
	}
	f.write("ca.pem", text)
	s.check(time.Now().Add(checkInterval))
	try("own", false)
	try("foreign", true)
}

func TestOpenFails(t *testing.T) {
	f := folder{t, t.TempDir()}
	pair, other := f.issue(f.authority("ca"), "a", false, time.Now()), f.issue(f.authority("b"), "a", false, time.Now())
	f.write("s.pem", pair.Cert)
	f.write("s.key", pair.Key)
	f.write("other.key", other.Key)
	f.write("long", bytes.Repeat([]byte("#"), maxFile+1))
	good := f.flags()
	for what, change := range map[string]func(*settings.TLSFlags){
		"no key":        func(c *settings.TLSFlags) { c.ServerKey = "" },
		"no cert":       func(c *settings.TLSFlags) { c.ServerCert = "" },
		"CA alone":      func(c *settings.TLSFlags) { c.ServerCert, c.ServerKey = "", "" },
		"other key":     func(c *settings.TLSFlags) { c.ServerKey = f.path("other.key") },
		"missing":       func(c *settings.TLSFlags) { c.ServerCert = f.path("none") },
		"too long":      func(c *settings.TLSFlags) { c.ClientCA = f.path("long") },
		"CA with a key": func(c *settings.TLSFlags) { c.ClientCA = f.path("s.key") },
	} {
		flags := good
		change(&flags)
		if _, err := Open(flags, nil); !errors.Is(err, settings.ErrInvalid) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if s, err := Open(settings.TLSFlags{}, nil); s != nil || err != nil {
		t.Errorf("no files: %v, %v", s, err)
	}
}
