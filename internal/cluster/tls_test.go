package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/natsd"
)

// TestTLS: three servers with the files of --tls form a cluster over TLS. A client with the CA is
// served by each, and one that does not verify them, or speaks plain text, is not.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	nodes := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}
	cfg := Config{Out: dir, Nodes: nodes, Listen: "127.0.0.1:-1", Monitor: "127.0.0.1:-1", MaxStore: 1 << 30, TLS: true}
	if err := WriteConfig(cfg); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	var servers []*natsd.Server
	for i, host := range nodes {
		// Each node on this machine gets a folder and an address of its own.
		own := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"nats.conf", "users.conf", "routes.conf"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.NewReplacer("0.0.0.0:"+routePort, host+port, ":"+routePort, port,
				`"/data"`, fmt.Sprintf("%q", filepath.Join(own, "store"))).Replace(string(text))
			if err := os.WriteFile(filepath.Join(own, name), []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("SERVER_NAME", fmt.Sprint("node-", i))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		s, err := natsd.StartFile(ctx, filepath.Join(own, "nats.conf"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Shutdown)
		servers = append(servers, s)
	}
	seed, err := nats.NkeyOptionFromSeed(filepath.Join(dir, RoleAdmin+".nkey"))
	if err != nil {
		t.Fatal(err)
	}
	ca := nats.RootCAs(filepath.Join(dir, FileCA))
	nc, err := nats.Connect(servers[0].ClientURL(), seed, ca)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for begin := time.Now(); len(nc.Servers()) < len(nodes); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("the servers do not meet: %v", nc.Servers())
		}
	}
	for what, opts := range map[string][]nats.Option{
		"without the CA":     {seed},
		"with another CA":    {seed, nats.RootCAs(otherCA(t))},
		"without credential": {ca},
	} {
		if other, err := nats.Connect(servers[1].ClientURL(), opts...); err == nil {
			other.Close()
			t.Errorf("a client %s is served", what)
		}
	}
	before, err := os.ReadFile(filepath.Join(dir, fileCert))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		nodes []string
		same  bool
	}{{nodes, true}, {append(nodes, "nats-4"), false}} {
		cfg.Nodes = c.nodes
		if err := WriteConfig(cfg); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(filepath.Join(dir, fileCert))
		if err != nil || (string(after) == string(before)) != c.same {
			t.Errorf("%v: the certificate is the same: %v, %v", c.nodes, !c.same, err)
		}
	}
	out := t.TempDir()
	if err := Distribute(dir, out, "default"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"nats/nats.key": true, "nats/ca.pem": true, "query/ca.pem": true, "query/nats.key": false, "nats/ca.key": false,
	} {
		if _, err := os.Stat(filepath.Join(out, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// otherCA is the authority of another cluster.
func otherCA(t *testing.T) string {
	t.Helper()
	cfg := Config{Out: t.TempDir(), Log: "other", TLS: true}
	if err := cfg.certificates(time.Now()); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cfg.Out, FileCA)
}

// freePort is a port, with a colon, that is free on this machine.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(":", l.Addr().(*net.TCPAddr).Port)
}
