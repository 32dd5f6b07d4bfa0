package privateca

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

// TestIssue: a certificate is valid for its names and its use, for its time, and under its
// authority alone.
func TestIssue(t *testing.T) {
	now := time.Now()
	first, other := authority(t, now), authority(t, now)
	names := parse(t, "Audit.example.com", "*.example.org", "192.0.2.7", "::1", "spiffe://example.com/agent/1")
	server := issue(t, first.authority, Request{Names: names, Valid: time.Hour}, now)
	client := issue(t, first.authority, Request{Names: names[4:], Client: true, Valid: time.Hour}, now)
	peer := issue(t, first.authority, Request{Names: names[:1], Peer: true, Valid: time.Hour}, now)
	for _, c := range []struct {
		what  string
		cert  *x509.Certificate
		under *x509.CertPool
		use   x509.ExtKeyUsage
		name  string
		at    time.Time
		want  bool
	}{
		{"server", server, first.pool, x509.ExtKeyUsageServerAuth, "audit.example.com", now, true},
		{"pattern", server, first.pool, x509.ExtKeyUsageServerAuth, "x.example.org", now, true},
		{"IPv4", server, first.pool, x509.ExtKeyUsageServerAuth, "192.0.2.7", now, true},
		{"IPv6", server, first.pool, x509.ExtKeyUsageServerAuth, "::1", now, true},
		{"clock behind", server, first.pool, x509.ExtKeyUsageServerAuth, "", now.Add(-skew / 2), true},
		{"client", client, first.pool, x509.ExtKeyUsageClientAuth, "", now, true},
		{"peer as server", peer, first.pool, x509.ExtKeyUsageServerAuth, "audit.example.com", now, true},
		{"peer as client", peer, first.pool, x509.ExtKeyUsageClientAuth, "", now, true},
		{"other name", server, first.pool, x509.ExtKeyUsageServerAuth, "example.com", now, false},
		{"server as client", server, first.pool, x509.ExtKeyUsageClientAuth, "", now, false},
		{"client as server", client, first.pool, x509.ExtKeyUsageServerAuth, "", now, false},
		{"other authority", server, other.pool, x509.ExtKeyUsageServerAuth, "", now, false},
		{"expired", server, first.pool, x509.ExtKeyUsageServerAuth, "", now.Add(2 * time.Hour), false},
	} {
		_, err := c.cert.Verify(x509.VerifyOptions{
			Roots: c.under, KeyUsages: []x509.ExtKeyUsage{c.use}, DNSName: c.name, CurrentTime: c.at,
		})
		if (err == nil) != c.want {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if len(client.URIs) != 1 || client.URIs[0].String() != "spiffe://example.com/agent/1" {
		t.Errorf("URIs %v", client.URIs)
	}
}

// TestAuthorityIssuesNoAuthority: what an issued certificate signs is not accepted.
func TestAuthorityIssuesNoAuthority(t *testing.T) {
	now := time.Now()
	first := authority(t, now)
	pair, err := first.authority.Issue(Request{Names: parse(t, "a"), Valid: year}, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(pair); err == nil {
		t.Error("a server's certificate is taken for an authority")
	}
	if _, err := first.authority.Issue(Request{Names: parse(t, "a"), Valid: 11 * year}, now); err == nil {
		t.Error("a certificate outlives its authority")
	}
}

func TestParseName(t *testing.T) {
	for _, text := range []string{"", "*", "a b", "-a.example", "a..b", "a.*.b", "fe80::1%eth0", "https://example.com/x",
		"spiffe://", "spiffe://example.com", "spiffe://example.com/", "spiffe://Example.com/a", "spiffe://u@example.com/a",
		"spiffe://example.com:1/a", "spiffe://example.com/a?b", "spiffe://example.com/a#b", "spiffe://example.com/../a",
		"spiffe://example.com/a//b", "spiffe://example.com/%61", strings.Repeat("a", 64), "a\n"} {
		if n, err := ParseName(text); err == nil {
			t.Errorf("%q is taken for %q", text, n)
		}
	}
}

// FuzzParseName: what is taken stands in a certificate that can be made and read.
func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"localhost", "*.a.example", "127.0.0.1", "::ffff:1.2.3.4", "spiffe://a/b.c", "xn--a"} {
		f.Add(seed)
	}
	now := time.Now()
	a := authority(f, now).authority
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseName(text)
		if err != nil {
			return
		}
		c := issue(t, a, Request{Names: []Name{n}, Valid: time.Hour}, now)
		if len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs) != 1 {
			t.Errorf("%q: %v %v %v", text, c.DNSNames, c.IPAddresses, c.URIs)
		}
	})
}

type made struct {
	authority *Authority
	pool      *x509.CertPool
}

func authority(t testing.TB, now time.Time) made {
	t.Helper()
	pair, err := New("test", 10*year, now)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Load(pair)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return made{a, pool}
}

func parse(t testing.TB, texts ...string) (names []Name) {
	t.Helper()
	for _, text := range texts {
		n, err := ParseName(text)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, n)
	}
	return names
}

func issue(t testing.TB, a *Authority, r Request, now time.Time) *x509.Certificate {
	t.Helper()
	pair, err := a.Issue(r, now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}
