package main

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// tlsSample is a block that needs the server of its page, which TestDocs does not start.
var tlsSample = regexp.MustCompile("(?m)^```(bash|py)\n((?s:.*?))^```\n(\n```text\n((?s:.*?))^```\n)?")

// TestTLSDocs runs the samples on TLS of security.md in their order, except that the server listens
// elsewhere. What starts a server for good runs until the end.
func TestTLSDocs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command, and has nothing for the race detector")
	}
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	d, dir, addr := buildDocs(t), t.TempDir(), logtest.FreeAddr(t)
	port := addr[strings.LastIndexByte(addr, ':'):]
	command := func(kind, text string) *exec.Cmd {
		c := exec.CommandContext(t.Context(), "bash", "-e", "-o", "pipefail", "-c", strings.ReplaceAll(text, ":8420", port))
		if kind == "py" {
			c = exec.CommandContext(t.Context(), "python3", "-W", "error", "-c", strings.ReplaceAll(text, ":8420", port))
		}
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+d.bin+":"+os.Getenv("PATH"), "HOME="+dir, "XDG_CONFIG_HOME="+dir+"/.config",
			"SEALSTREAM_NATS=127.0.0.1:0", "SEALSTREAM_HTTP="+addr, "PYTHONPATH="+d.root+"/sdk/python")
		return c
	}
	ran := 0
	for _, m := range tlsSample.FindAllStringSubmatch(string(page), -1) {
		kind, text, want := m[1], m[2], m[4]
		ran++
		if strings.HasPrefix(text, "sealstream up ") && want == "" {
			up := command(kind, "exec "+text)
			if err := up.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { up.Process.Signal(os.Interrupt); up.Wait() })
			awaitTLS(t, addr, dir+"/certs/ca.pem")
			continue
		}
		out, err := command(kind, text).CombinedOutput()
		printed := strings.ReplaceAll(string(out), port, ":8420")
		if (err == nil) != (want == "") || !strings.Contains(printed, want) {
			t.Fatalf("%v\n%s\nprints\n%s\nwant %s", err, text, printed, want)
		}
	}
	if ran < 6 {
		t.Errorf("only %d samples were run", ran)
	}
}

// awaitTLS waits until a server at an address says that it is ready.
func awaitTLS(t *testing.T, addr, ca string) {
	t.Helper()
	web, err := transportOver(tlsfiles.ClientFiles{CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		resp, err := (&http.Client{Transport: web}).Get("https://" + addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("%s is not ready: %v", addr, err)
		}
	}
}
