package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/client"
)

// TestTLS: the CA certificates and the client's certificate of Config.TLS are used, and nothing is
// sent to a server that they do not verify.
func TestTLS(t *testing.T) {
	asked := make(chan int, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- len(r.TLS.PeerCertificates)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{}`)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	own := &tls.Config{RootCAs: roots, Certificates: server.TLS.Certificates}
	for _, c := range []struct {
		cfg  client.Config
		fail string
	}{
		{client.Config{TLS: own}, ""},
		{client.Config{}, "certificate"},
		{client.Config{TLS: &tls.Config{RootCAs: x509.NewCertPool()}}, "certificate"},
	} {
		c.cfg.Server, c.cfg.FailFast = server.URL, true
		sdk, err := client.New(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		var answer any
		err = sdk.Unverified().Get(t.Context(), "/v1/stats", nil, &answer)
		if c.fail != "" {
			if err == nil || !strings.Contains(err.Error(), c.fail) || len(asked) > 0 {
				t.Errorf("%v, want an error with %q", err, c.fail)
			}
		} else if n := <-asked; err != nil || n != 1 {
			t.Errorf("%d client certificates, %v", n, err)
		}
		sdk.Close(t.Context())
	}
	if _, err := client.New(client.Config{TLS: own, HTTP: http.DefaultClient}); err == nil {
		t.Error("HTTP and TLS are taken together")
	}
}
