package gate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/privateca"
)

// authority makes a certificate authority.
func authority(t *testing.T) (*privateca.Authority, []byte) {
	t.Helper()
	pair, err := privateca.New("test", 24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := privateca.Load(pair)
	if err != nil {
		t.Fatal(err)
	}
	return a, pair.Cert
}

// issue makes a client certificate for names, as of a time.
func issue(t *testing.T, a *privateca.Authority, now time.Time, names ...string) tls.Certificate {
	t.Helper()
	r := privateca.Request{Valid: time.Hour, Client: true}
	for _, text := range names {
		n, err := privateca.ParseName(text)
		if err != nil {
			t.Fatal(err)
		}
		r.Names = append(r.Names, n)
	}
	pair, err := a.Issue(r, now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestT44ClientCertificates: a client certificate proves the identity of its name, while the rules name it. One that
// is expired or of another authority gets no connection. T44.
func TestT44ClientCertificates(t *testing.T) {
	own, ownPEM := authority(t)
	foreign, _ := authority(t)
	rules := func(names string) []byte {
		return fmt.Appendf(nil,
			"identities: [{id: billing, mtls: [%s], may: {read: all}}, {id: crm, mtls: [dns:crm.example.com]}]", names)
	}
	f := newFixture(t, rules("spiffe://example.com/billing, dns:billing.example.com"), nil)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ownPEM)
	server := httptest.NewUnstartedServer(f.Handler(http.HandlerFunc(f.answer)))
	server.TLS = &tls.Config{ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
	server.StartTLS()
	defer server.Close()
	ask := func(bearer string, c ...tls.Certificate) (int, string) {
		client := server.Client()
		transport := client.Transport.(*http.Transport).Clone()
		defer transport.CloseIdleConnections()
		transport.TLSClientConfig.Certificates = c
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/v1/entries", nil)
		if err != nil {
			t.Fatal(err)
		}
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	now := time.Now()
	good := issue(t, own, now, "spiffe://example.com/billing")
	for _, c := range []struct {
		name   string
		cert   []tls.Certificate
		bearer string
		want   int
	}{
		{"SPIFFE ID", []tls.Certificate{good}, "", 200},
		{"DNS name", []tls.Certificate{issue(t, own, now, "billing.example.com")}, "", 200},
		{"no right", []tls.Certificate{issue(t, own, now, "crm.example.com")}, "", 403},
		{"names of two", []tls.Certificate{issue(t, own, now, "crm.example.com", "billing.example.com")}, "", 401},
		{"two URIs", []tls.Certificate{issue(t, own, now, "spiffe://example.com/billing", "spiffe://example.com/x")}, "", 401},
		{"unknown name", []tls.Certificate{issue(t, own, now, "spiffe://example.com/billing/x")}, "", 401},
		{"none", nil, "", 401},
		{"wrong token", []tls.Certificate{good}, access.NewToken(), 401},
		{"expired", []tls.Certificate{issue(t, own, now.Add(-2*time.Hour), "spiffe://example.com/billing")}, "", 0},
		{"foreign", []tls.Certificate{issue(t, foreign, now, "spiffe://example.com/billing")}, "", 0},
	} {
		if status, body := ask(c.bearer, c.cert...); status != c.want {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
	f.run()
	f.apply(rules("dns:billing.example.com"))
	if status, body := ask("", good); status != http.StatusUnauthorized {
		t.Errorf("revoked by the rules: %d %s", status, body)
	}
	// without a verified chain, a certificate proves nothing
	r := httptest.NewRequest("GET", "/v1/entries", nil)
	leaf, err := x509.ParseCertificate(good.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
	if _, err := f.Authenticate(r); !errors.Is(err, errNone) {
		t.Errorf("without a chain: %v", err)
	}
}
