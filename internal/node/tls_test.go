package node

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/privateca"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// certificates makes those of a server on the loopback, and what verifies it.
func certificates(t testing.TB) (settings.TLSFlags, *tls.Config) {
	t.Helper()
	dir, now := t.TempDir(), time.Now()
	ca, err := privateca.New("test", time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := privateca.Load(ca)
	if err != nil {
		t.Fatal(err)
	}
	name, err := privateca.ParseName("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	server, err := authority.Issue(privateca.Request{Names: []privateca.Name{name}, Valid: time.Minute}, now)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{"ca.pem": ca.Cert, "server.pem": server.Cert, "server.key": server.Key} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client, err := tlsfiles.ClientFiles{CA: filepath.Join(dir, "ca.pem")}.Config()
	if err != nil {
		t.Fatal(err)
	}
	return settings.TLSFlags{
		ServerCert: filepath.Join(dir, "server.pem"), ServerKey: filepath.Join(dir, "server.key"),
	}, client
}
