package program

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
)

// TestPrintConfigSecrets: what a setting's URL holds of secrets is not printed, wherever in it that stands, and that it
// is set is said. URLs without any are printed.
func TestPrintConfigSecrets(t *testing.T) {
	var s struct {
		ConfigFlags
		NATS    string   `placeholder:"URL"`
		Webhook []string `sep:"none" secret:""`
		Sink    []string `sep:"none"`
		To      []string `sep:"none"`
		Other   string
	}
	parse := func(args ...string) string {
		t.Helper()
		parser, err := kong.New(&s, kong.Name("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(args); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := PrintConfig(&out, parser.Model.Flags); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, arg := range []string{
		"--webhook=https://hooks.example.com/services/T0/s3cret", "--webhook=hooks.example.com/s3cret", "--webhook=http://127.0.0.1/s3cret",
		"--sink=https://siem.example.com/in?token=s3cret", "--sink=https://siem.example.com/s3cret", "--sink=https://s3cret@siem.example.com",
		"--sink=https://siem.example.com/#s3cret", "--sink=https:s3cret@host", "--sink=https://siem.example.com:s3cret/",
		"--sink=postgres://writer:s3cret@host/db", "--sink=postgres://writer@host/db?password=s3cret", "--sink=postgres://writer@host/db?owner=postgres://o:s3cret@host/db",
		"--sink=postgres://writer:a/s3cret@host/db", "--sink=nats://s3cret@host/copy", "--sink=nats://user:s3cret@host/copy",
		"--nats=nats://user:s3cret@host:4222", "--nats=s3cret@host:4222", "--nats=user:s3cret@host:4222", "--nats=nats://a:1,nats://s3cret@b:1", "--nats=tls://u:s3,cret@h",
	} {
		name := strings.TrimPrefix(strings.SplitN(arg, "=", 2)[0], "--")
		if text := parse(arg); strings.Contains(text, "s3") || !strings.Contains(text, name+" is set, and not shown") {
			t.Errorf("%s:\n%s", arg, text)
		}
	}
	text := parse("--nats=nats://a:4222,nats://b:4222", "--sink=file:///var/log/audit.jsonl?key_file=/etc/k",
		"--sink=stdout:", "--sink=postgres://writer@host/db",
		"--sink=nats://host/copy?creds=/etc/c", "--to=http://query-1:8420", "--other=someone@example.com wrote")
	for _, want := range []string{
		"nats://a:4222,nats://b:4222", "file:///var/log/audit.jsonl?key_file=/etc/k", "stdout:",
		"postgres://writer@host/db", "creds=/etc/c", "http://query-1:8420",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing:\n%s", want, text)
		}
	}
}

// TestNATSInClear: a password or token goes to another machine over TLS alone; the errors hold
// neither. To 0.0.0.0 connects this machine, and it is no loopback address.
func TestNATSInClear(t *testing.T) {
	s := logtest.Server(t, natsd.Config{Log: "other", Password: "s3cret", Relaxed: true})
	_, port, _ := strings.Cut(strings.TrimPrefix(s.ClientURL(), "nats://"), ":")
	near, far := "127.0.0.1:"+port, "0.0.0.0:"+port
	for _, c := range []struct {
		cfg natsconn.Config
		ok  bool
	}{
		{natsconn.Config{URL: "nats://sealstream:s3cret@" + near}, true},
		{natsconn.Config{URL: near, User: "sealstream", Password: "s3cret"}, true},
		{natsconn.Config{URL: "nats://sealstream:s3cret@" + far}, false},
		{natsconn.Config{URL: far, User: "sealstream", Password: "s3cret"}, false},
		{natsconn.Config{URL: far, Token: "s3cret"}, false},
		{natsconn.Config{URL: "nats://s3cret@" + far}, false},
		{natsconn.Config{URL: "nats://127.0.0.1:1,nats://sealstream:s3cret@" + far}, false},
		{natsconn.Config{URL: "nats://sealstream:s3cret@" + far, AllowPlain: true}, true},
		{natsconn.Config{URL: "nats://sealstream:s3cret@host:port"}, false},
		{natsconn.Config{URL: "nats://sealstream:a/s3cret@host"}, false},
		{natsconn.Config{URL: "nats://sealstream:s3cret@127.0.0.1:1"}, false},
		{natsconn.Config{URL: "nats://s3cret@127.0.0.1:1"}, false},
	} {
		nc, err := c.cfg.Connect("test", slog.New(slog.DiscardHandler))
		if nc != nil {
			nc.Close()
		}
		if (err == nil) != c.ok || err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: %v", c.cfg, err)
		}
		if strings.Contains(c.cfg.URL, far) && !c.ok && !errors.Is(err, nats.ErrSecureConnWanted) &&
			!strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}
