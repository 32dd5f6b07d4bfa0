package program

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
)

// TestServicesOutlive: every service program goes on after SIGHUP and without a reader of its standard error, and ends
// cleanly on SIGTERM.
func TestServicesOutlive(t *testing.T) {
	s := logtest.Server(t, natsd.Config{Password: "secret", Relaxed: true})
	dir := t.TempDir()
	if _, err := datadir.GenerateKeys(dir, "example.com", "default"); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "webhook")
	if err := os.WriteFile(secret, []byte(alert.NewSecret()), 0o600); err != nil {
		t.Fatal(err)
	}
	key := []string{"--key", filepath.Join(dir, datadir.FilePublic)}
	programs := map[string][]string{
		"sealer":   {"--keys", dir, "--metrics", logtest.FreeAddr(t)},
		"archiver": append([]string{"--metrics", logtest.FreeAddr(t)}, key...),
		"ingest":   append([]string{"--http", logtest.FreeAddr(t)}, key...),
		"query":    append([]string{"--http", logtest.FreeAddr(t)}, key...),
		"sink":     append([]string{"--http", logtest.FreeAddr(t), "--sink", "stdout:"}, key...),
		"alert":    append([]string{"--http", logtest.FreeAddr(t), "--webhook-secret", secret}, key...),
	}
	for name := range sections() {
		if IsProgram(name) && programs[name] == nil {
			t.Errorf("%s is not tried", name)
		}
	}
	for name, args := range programs {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			c := exec.Command(os.Args[0],
				append(args, "--nats", s.ClientURL(), "--user", "sealstream", "--password", "secret", "--verbose")...)
			c.Env = append(os.Environ(), "SEALSTREAM_TEST_PROGRAM="+name)
			c.Stdout, c.Stderr, c.SysProcAttr = w, w, &syscall.SysProcAttr{Setsid: true}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			defer c.Process.Kill()
			done := make(chan error, 1)
			go func() { done <- c.Wait() }()
			w.Close()
			var said bytes.Buffer
			for !strings.Contains(said.String(), "\n") { // it has begun
				if _, err := io.CopyN(&said, r, 1); err != nil {
					t.Fatalf("%v: %s", err, &said)
				}
			}
			r.Close()
			for range 20 {
				if err := c.Process.Signal(syscall.SIGHUP); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			select {
			case err := <-done:
				t.Fatalf("it ended: %v; it said %s", err, &said)
			default:
			}
			c.Process.Signal(syscall.SIGTERM)
			select {
			case err := <-done:
				if err != nil {
					t.Fatalf("after SIGTERM: %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it does not end")
			}
		})
	}
}
