package program

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
)

// TestLines: a service logs its start, where it listens, one pair for a lost connection, and its
// stop, each as a JSON object.
func TestLines(t *testing.T) {
	cfg := natsd.Config{Password: "secret", Relaxed: true, Addr: logtest.FreeAddr(t), StoreDir: t.TempDir()}
	nats, dir := logtest.Server(t, cfg), t.TempDir()
	if _, err := datadir.GenerateKeys(dir, "example.com", "default"); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0], "--keys", dir, "--metrics", logtest.FreeAddr(t), "--nats", nats.ClientURL(),
		"--user", "sealstream", "--password", "secret", "--log-format", "json")
	c.Env = append(os.Environ(), "SEALSTREAM_TEST_PROGRAM=sealer")
	stderr, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	hang := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
	defer hang.Stop()
	var seen []string
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var line struct{ Msg, Version, Log, Address, After, Cause, Ran, Took string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		complete := true
		switch line.Msg {
		case "sealer starts":
			complete = line.Version != "" && line.Log == "default"
		case "sealer listens":
			complete = line.Address != ""
			nats.Shutdown()
		case "NATS connection lost":
			complete = line.Cause != ""
			logtest.Server(t, cfg)
		case "NATS connection is back":
			complete = line.After != ""
			c.Process.Signal(syscall.SIGTERM)
		case "sealer has stopped":
			complete = line.Cause != "" && line.Ran != "" && line.Took != ""
		default:
			continue // a condition, or a retry
		}
		if seen = append(seen, line.Msg); !complete {
			t.Errorf("%s", lines.Text())
		}
	}
	want := []string{
		"sealer starts", "sealer listens", "NATS connection lost", "NATS connection is back", "sealer has stopped",
	}
	if err := c.Wait(); err != nil || !slices.Equal(seen, want) {
		t.Errorf("%v: %q, want %q", err, seen, want)
	}
}
