package cluster

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/privateca"
)

// Files of TLS in the folder that WriteConfig writes to.
const (
	FileCA   = "ca.pem"
	fileCert = "nats.pem"
	fileKey  = "nats.key"
)

// Validity of the authority and of the servers' certificate. It is issued again when it ends soon.
const (
	authorityValid = 10 * 365 * 24 * time.Hour
	serverValid    = 365 * 24 * time.Hour
	soon           = 30 * 24 * time.Hour
)

// certificates makes the authority if there is none, and the servers' certificate if there is none
// or if it ends soon. All servers share it, as they share the password of the routes.
func (cfg Config) certificates(now time.Time) error {
	at := func(name string) string { return filepath.Join(cfg.Out, name) }
	if _, err := os.Stat(at(FileCA)); errors.Is(err, fs.ErrNotExist) {
		pair, err := privateca.New("NATS of "+cfg.Log, authorityValid, now)
		if err != nil {
			return err
		}
		if err := writePair(at(FileCA), at("ca.key"), pair); err != nil {
			return err
		}
	}
	c, err := tls.LoadX509KeyPair(at(fileCert), at(fileKey))
	if err == nil && cfg.names(c) && now.Add(soon).Before(c.Leaf.NotAfter) {
		return nil
	}
	cert, err := os.ReadFile(at(FileCA))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(at("ca.key"))
	if err != nil {
		return err
	}
	authority, err := privateca.Load(privateca.Pair{Cert: cert, Key: key})
	if err != nil {
		return err
	}
	request := privateca.Request{Peer: true, Valid: serverValid}
	for _, text := range cfg.hosts() {
		name, err := privateca.ParseName(text)
		if err != nil {
			return err
		}
		request.Names = append(request.Names, name)
	}
	pair, err := authority.Issue(request, now)
	if err != nil {
		return err
	}
	return writePair(at(fileCert), at(fileKey), pair)
}

// hosts are the names by which the servers are reached.
func (cfg Config) hosts() []string { return append([]string{"localhost", "127.0.0.1"}, cfg.Nodes...) }

// names reports whether a certificate is valid for each server.
func (cfg Config) names(c tls.Certificate) bool {
	for _, host := range cfg.hosts() {
		if c.Leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

// writePair writes the key first. A crash before the certificate leaves a pair that does not fit,
// which the next call replaces.
func writePair(cert, key string, p privateca.Pair) error {
	if err := datadir.WriteFile(key, p.Key, 0o600); err != nil {
		return err
	}
	return datadir.WriteFile(cert, p.Cert, 0o644)
}

// clientTLS is the block of nats.conf that makes clients use TLS.
func (cfg Config) clientTLS() string {
	if !cfg.TLS {
		return ""
	}
	return fmt.Sprintf("tls { cert_file: %q, key_file: %q, timeout: 5 }\n", cfg.tlsFile(fileCert), cfg.tlsFile(fileKey))
}

// routeTLS is the block of routes.conf with which the servers verify each other.
func (cfg Config) routeTLS() string {
	if !cfg.TLS {
		return ""
	}
	return fmt.Sprintf("  tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true, timeout: 5 }\n",
		cfg.tlsFile(fileCert), cfg.tlsFile(fileKey), cfg.tlsFile(FileCA))
}

// tlsFile is the path of a file of TLS on a server.
func (cfg Config) tlsFile(name string) string {
	return filepath.Join(cmp.Or(cfg.TLSFolder, cfg.Out), name)
}
