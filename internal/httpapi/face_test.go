package httpapi_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/privateca"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// TestFaceCheck: beyond the loopback, a server needs TLS and access, or a network that is said to
// be trusted. The error names what is missing.
func TestFaceCheck(t *testing.T) {
	tls := &tlsfiles.Server{}
	for _, c := range []struct {
		face    httpapi.Face
		missing string // of the error; "": none
	}{
		{httpapi.Face{Addr: "127.0.0.1:0"}, ""},
		{httpapi.Face{Addr: "[::1]:0"}, ""},
		{httpapi.Face{Addr: "localhost:0", TLS: tls}, ""},
		{httpapi.Face{Addr: "0.0.0.0:0"}, "add --tls-cert FILE --tls-key FILE --access FILE"},
		{httpapi.Face{Addr: ":0"}, "add --tls-cert FILE --tls-key FILE --access FILE"},
		{httpapi.Face{Addr: "audit.example.com:1", TLS: tls}, "add --access FILE"},
		{httpapi.Face{Addr: "[::]:0", Access: true}, "add --tls-cert FILE --tls-key FILE"},
		{httpapi.Face{Addr: "0.0.0.0:0", TLS: tls, Access: true}, ""},
		{httpapi.Face{Addr: "0.0.0.0:0", Exposed: true}, ""},
	} {
		err := c.face.Check()
		if c.missing == "" && err != nil ||
			c.missing != "" && (!errors.Is(err, httpapi.ErrNotLoopback) || !strings.HasSuffix(err.Error(), c.missing)) {
			t.Errorf("%+v: %v", c.face, err)
		}
	}
	for _, addr := range []string{"", "localhost", "localhost:http", "localhost:65536", "::1:0"} {
		if err := (httpapi.Face{Addr: addr, Exposed: true}).Check(); !errors.Is(err, settings.ErrInvalid) {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

// TestFaceTLS: over TLS, HTTP/1.1 and HTTP/2 are served, under any host that the certificate has.
// The handler sees the client's certificate.
func TestFaceTLS(t *testing.T) {
	flags, client := certificates(t, "audit.example.com", "spiffe://example.com/agent/1")
	files, err := tlsfiles.Open(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	face := httpapi.Face{Addr: "127.0.0.1:0", TLS: files}
	l, err := face.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- httpapi.Serve(ctx, face.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who := "nobody"
			if len(r.TLS.VerifiedChains) > 0 {
				who = r.TLS.PeerCertificates[0].URIs[0].String()
			}
			io.WriteString(w, r.Proto+" "+r.Host+" "+who)
		})), l, time.Second)
	}()
	for _, c := range []struct {
		http2 bool
		cert  bool
		want  string
	}{
		{false, false, "HTTP/1.1 audit.example.com nobody"},
		{true, false, "HTTP/2.0 audit.example.com nobody"},
		{true, true, "HTTP/2.0 audit.example.com spiffe://example.com/agent/1"},
	} {
		from := client
		if !c.cert {
			from.Cert, from.Key = "", ""
		}
		cfg, err := from.Config()
		if err != nil {
			t.Fatal(err)
		}
		web := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: c.http2,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
			}}
		resp, err := (&http.Client{Transport: web}).Get("https://audit.example.com/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || string(body) != c.want {
			t.Errorf("%q, %v, want %q", body, err, c.want)
		}
		web.CloseIdleConnections()
	}
	if url := face.URL(l); url != "https://"+l.Addr().String() {
		t.Errorf("URL %s", url)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("the server ends with %v", err)
	}
}

// certificates writes those of a server and of a client.
func certificates(t *testing.T, server, client string) (settings.TLSFlags, tlsfiles.ClientFiles) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, p privateca.Pair, err error) {
		t.Helper()
		for suffix, text := range map[string][]byte{".pem": p.Cert, ".key": p.Key} {
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name+suffix), text, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ca, err := privateca.New("test", time.Hour, time.Now())
	write("ca", ca, err)
	authority, err := privateca.Load(ca)
	if err != nil {
		t.Fatal(err)
	}
	for file, name := range map[string]string{"server": server, "client": client} {
		n, err := privateca.ParseName(name)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := authority.Issue(
			privateca.Request{Names: []privateca.Name{n}, Client: file == "client", Valid: time.Minute}, time.Now())
		write(file, pair, err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	return settings.TLSFlags{ServerCert: at("server.pem"), ServerKey: at("server.key"), ClientCA: at("ca.pem")},
		tlsfiles.ClientFiles{CA: at("ca.pem"), Cert: at("client.pem"), Key: at("client.key")}
}
