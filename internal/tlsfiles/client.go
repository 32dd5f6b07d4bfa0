package tlsfiles

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// ClientFiles are the files of a client. The zero value trusts the system's CAs and has no
// certificate.
type ClientFiles struct {
	CA   string // PEM file of the CA certificates that verify the server; empty: those of the system
	Cert string // PEM file of the client's certificate chain; empty: none
	Key  string // PEM file of its private key
}

// Config reads the files. It returns nil if none is named.
func (f ClientFiles) Config() (*tls.Config, error) {
	if f == (ClientFiles{}) {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: minVersion}
	if f.CA != "" {
		text, err := readFile(f.CA)
		if err == nil {
			cfg.RootCAs, err = pool(text)
		}
		if err != nil {
			return nil, fmt.Errorf("CA certificates: %s: %w", f.CA, err)
		}
	}
	if f.Cert == "" && f.Key == "" {
		return cfg, nil
	}
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("a client certificate and its private key are given together, or neither")
	}
	c, err := f.pair()
	if err != nil {
		return nil, fmt.Errorf("client certificate %s: %w", f.Cert, err)
	}
	// Certificates would leave it out, without an error, if the server does not know its authority.
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
	return cfg, nil
}

func (f ClientFiles) pair() (tls.Certificate, error) {
	cert, err := readFile(f.Cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readFile(f.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}
