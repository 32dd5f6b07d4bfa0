package oidc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/access/gate"
)

const (
	fetchTimeout = 5 * time.Second
	maxDocument  = 1 << 20 // bytes of an answer of an issuer
)

// issuer is a party that signs JWTs, with its keys.
type issuer struct {
	url    string
	client *http.Client

	fetching sync.Mutex // held while the issuer is asked

	mu   sync.Mutex // guards have
	have known
}

// known is what is known of an issuer's keys.
type known struct {
	keys  *oidc.StaticKeySet // nil until the first answer
	at    time.Time          // when the issuer has given keys
	tried time.Time          // when it was last asked
	err   error              // of that time
}

// issuer returns the issuer of the rules. The error is that of its CA file.
func (v *Verifier) issuer(trusted access.Issuer) (*issuer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := origin{trusted.URL, trusted.CAFile}
	if known := v.issuers[o]; known != nil {
		return known, nil
	}
	client, err := newClient(trusted.CAFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", gate.ErrIssuer, trusted.URL, err)
	}
	if v.issuers == nil || len(v.issuers) > 4*access.MaxIssuers { // the rules have changed often
		v.issuers = map[origin]*issuer{}
	}
	v.issuers[o] = &issuer{url: trusted.URL, client: client}
	return v.issuers[o], nil
}

// newClient returns a client that speaks to issuers: over TLS alone, to where it is sent, and with
// limits.
func newClient(caFile string) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = fetchTimeout
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificates", caFile)
		}
	}
	return &http.Client{
		Transport: limited{t}, Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// limited refuses requests in clear, and cuts long answers off.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, errors.New("an issuer is asked over https alone")
	}
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxDocument), resp.Body}
	return resp, nil
}
