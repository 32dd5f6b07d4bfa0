//go:build cluster

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/readiness"
)

// compose is a cluster on this machine's Docker Engine.
type compose struct {
	*testing.T
	command []string // docker compose, with the project and its file
	project string
	ingest  string // addresses of the published ports
	query   string

	// failures are repeated behind the logs of the services, which are longer than what is kept of
	// the output of a run.
	failures []string
}

func (c *compose) Errorf(format string, args ...any) {
	c.Helper()
	c.failures = append(c.failures, fmt.Sprintf(format, args...))
	c.T.Errorf(format, args...)
}

func (c *compose) Fatalf(format string, args ...any) {
	c.Helper()
	c.failures = append(c.failures, fmt.Sprintf(format, args...))
	c.T.Fatalf(format, args...)
}

// imageLimit is what an image may have.
const imageLimit = 80 << 20

// newCompose builds the image from binaries made here, and brings a cluster of its own up. It is
// removed at the end of the test.
func newCompose(t *testing.T) *compose {
	t.Helper()
	if out, err := exec.Command("docker", "info", "--format", "{{.ServerVersion}}").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no Docker Engine answers: %v %s", err, bytes.TrimSpace(out))
	}
	c := &compose{
		T: t, project: fmt.Sprintf("sealstream-test-%d", os.Getpid()), ingest: logtest.FreeAddr(t),
		query: logtest.FreeAddr(t),
	}
	image := "sealstream-test:" + fmt.Sprint(os.Getpid())
	dist := t.TempDir()
	c.run(exec.Command("../../.ci/binaries", dist))
	build := exec.Command("docker", "build", "-q", "-t", image, "--target", "prebuilt", "-f", "../../Dockerfile", dist)
	// it may be all that is there, and pulls nothing for this target
	build.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	c.run(build)
	t.Cleanup(func() { exec.Command("docker", "rmi", image).Run() })
	var size int64
	fmt.Sscan(c.run(exec.Command("docker", "image", "inspect", "-f", "{{.Size}}", image)), &size)
	t.Logf("image: %.1f MB", float64(size)/1e6)
	if size == 0 || size > imageLimit {
		t.Errorf("the image has %d bytes, more than %d", size, imageLimit)
	}
	_, ingestPort, _ := net.SplitHostPort(c.ingest)
	_, queryPort, _ := net.SplitHostPort(c.query)
	env := filepath.Join(t.TempDir(), "env")
	text := fmt.Sprintf("SEALSTREAM_IMAGE=%s\nSEALSTREAM_INGEST_PORT=%s\nSEALSTREAM_QUERY_PORT=%s\n", image, ingestPort,
		queryPort)
	if err := os.WriteFile(env, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.command = append(strings.Fields(composeCommand(t)), "-p", c.project, "--env-file", env, "-f",
		"../../docker-compose.yml")
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := c.compose("logs", "--tail", "15", "--no-color").CombinedOutput()
			t.Logf("%s", out)
			t.Logf("what failed, before all these lines:\n%s", strings.Join(c.failures, "\n"))
		}
		out, err := c.compose("down", "-v", "-t", "2").CombinedOutput()
		if left := c.left(); left != "" || err != nil && !bytes.Contains(out, []byte("has active endpoints")) {
			t.Errorf("down: %v: %s\nleft: %s", err, out, left)
		}
	})
	begin := time.Now()
	c.run(c.compose("up", "-d", "--wait", "--wait-timeout", "180"))
	t.Logf("healthy after %.1f s (to be: 60 s)", time.Since(begin).Seconds())
	return c
}

// left is what the engine still has of the cluster. A network without containers that the engine
// does not remove is only told of: version 20.10 miscounts the endpoints of containers that it
// restarts all at once, until it is restarted itself.
func (c *compose) left() string {
	label := "label=com.docker.compose.project=" + c.project
	list := c.docker("ps", "-aq", "--filter", label) + c.docker("volume", "ls", "-q", "--filter", label)
	for _, id := range strings.Fields(c.docker("network", "ls", "-q", "--filter", label)) {
		if text := c.docker("network", "inspect", "-f", "{{.Name}} {{len .Containers}}", id); strings.HasSuffix(text,
			" 0") {
			c.Logf("the engine keeps the empty network %s", text)
		} else {
			list += text
		}
	}
	return list
}

// composeCommand finds Compose v2: what SEALSTREAM_COMPOSE names, else docker's.
func composeCommand(t *testing.T) string {
	command := os.Getenv("SEALSTREAM_COMPOSE")
	if command == "" {
		command = "docker compose"
	}
	fields := strings.Fields(command)
	if out, err := exec.Command(fields[0], append(fields[1:], "version", "--short")...).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no Compose v2 (SEALSTREAM_COMPOSE names another): %v %s", err, bytes.TrimSpace(out))
	}
	return command
}

func (c *compose) compose(args ...string) *exec.Cmd {
	return exec.Command(c.command[0], slices.Concat(c.command[1:], args)...)
}

func (c *compose) run(cmd *exec.Cmd) string {
	c.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		c.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out.String(), errs.String())
	}
	return strings.TrimSpace(out.String())
}

func (c *compose) docker(args ...string) string {
	c.Helper()
	return c.run(exec.Command("docker", args...))
}

// container is the name that compose gives a service's container.
func (c *compose) container(service string) string { return c.project + "-" + service + "-1" }

// ports are where each service says that it is ready.
var ports = map[string]string{
	"nats-1": "8222", "nats-2": "8222", "nats-3": "8222", "sealer-1": "9464", "sealer-2": "9464", "ingest-1": "8410", "ingest-2": "8410",
	"query-1": "8420", "query-2": "8420", "alert": "8430", "archiver": "9465", "front": "8420",
}

func services() []string {
	var list []string
	for name := range ports {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// addrs are the present addresses of the containers on the inner network, which are others after a restart.
func (c *compose) addrs() map[string]string {
	args := []string{"inspect"}
	for _, s := range services() {
		args = append(args, c.container(s))
	}
	var list []struct {
		Name            string
		NetworkSettings struct {
			Networks map[string]struct{ IPAddress string }
		}
	}
	if err := json.Unmarshal([]byte(c.docker(args...)), &list); err != nil {
		c.Fatal(err)
	}
	addrs := map[string]string{}
	for _, one := range list {
		service := strings.TrimSuffix(strings.TrimPrefix(one.Name, "/"+c.project+"-"), "-1")
		if ip := one.NetworkSettings.Networks[c.project+"_inner"].IPAddress; ip != "" {
			addrs[service] = net.JoinHostPort(ip, ports[service])
		}
	}
	return addrs
}

// quick1s is for questions whose answer comes at once or not at all.
var quick1s = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// notReady are the services that do not say that they are ready, and why: of NATS nodes, that each
// of their streams is current.
func (c *compose) notReady() []string {
	var list []string
	addrs := c.addrs()
	for _, s := range services() {
		path := "/readyz"
		if strings.HasPrefix(s, "nats") {
			path = "/healthz"
		}
		if err := readiness.Check(c.Context(), quick1s, "http://"+addrs[s]+path); err != nil {
			list = append(list, fmt.Sprintf("%s: %v", s, err))
		}
	}
	return list
}

// sealerStatus is what a sealer says of itself.
type sealerStatus struct {
	Role string
	Size uint64 `json:"tree_size"`
}

func (c *compose) sealers() map[string]sealerStatus {
	addrs, list := c.addrs(), map[string]sealerStatus{}
	for _, s := range []string{"sealer-1", "sealer-2"} {
		var status sealerStatus
		if code, body := fetchWithin(addrs[s], "/readyz"); code == http.StatusOK &&
			json.Unmarshal(body, &status) == nil {
			list[s] = status
		}
	}
	return list
}

// active is the sealer that says that it seals; "" if none does just now.
func (c *compose) active() string {
	for name, s := range c.sealers() {
		if s.Role == "active" {
			return name
		}
	}
	return ""
}

// redundant says whether one sealer seals, and the other one has followed the log to where it was when the wait began.
func (c *compose) redundant(least *uint64) bool {
	list := c.sealers()
	if *least == 0 {
		for _, s := range list {
			*least = max(*least, s.Size)
		}
	}
	return len(list) == 2 && list["sealer-1"].Role != list["sealer-2"].Role &&
		min(list["sealer-1"].Size, list["sealer-2"].Size) >= *least
}

// kill ends a container's processes as a crash does, so that its restart policy counts; where that
// is not allowed, the engine does it.
func (c *compose) kill(services ...string) {
	for _, s := range services {
		var pid int
		fmt.Sscan(c.docker("inspect", "-f", "{{.State.Pid}}", c.container(s)), &pid)
		if pid > 1 && syscall.Kill(pid, syscall.SIGKILL) == nil {
			continue
		}
		c.docker("kill", c.container(s))
		c.docker("start", c.container(s))
	}
}

func (c *compose) cut(service string) {
	c.docker("network", "disconnect", "-f", c.project+"_inner", c.container(service))
}

func (c *compose) heal(service string) {
	c.docker("network", "connect", "--alias", service, c.project+"_inner", c.container(service))
}

// cameTrue polls a condition; it says how long it took, and whether it came true within the bound.
func cameTrue(ctx context.Context, most time.Duration, condition func() bool) (time.Duration, bool) {
	begin := time.Now()
	for !condition() {
		if time.Since(begin) > most || ctx.Err() != nil {
			return time.Since(begin), false
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(begin), true
}
