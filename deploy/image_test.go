package deploy_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// dockerStage is one FROM of the Dockerfile with its instructions.
type dockerStage struct {
	from, name   string
	instructions []string
}

func dockerStages(t *testing.T) []dockerStage {
	t.Helper()
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var list []dockerStage
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if f := strings.Fields(line); f[0] == "FROM" {
			if len(f) != 4 || f[2] != "AS" {
				t.Fatalf("%q has no name", line)
			}
			list = append(list, dockerStage{from: f[1], name: f[3]})
			continue
		}
		last := &list[len(list)-1]
		last.instructions = append(last.instructions, line)
	}
	return list
}

// TestDockerfile: what is built in a container and what is taken from outside come out alike: the
// same script fills both, and what follows is the same but for where it is copied from. Nothing in
// the image runs as root, and nothing but the builder is pulled.
func TestDockerfile(t *testing.T) {
	stages := dockerStages(t)
	if len(stages) != 3 || stages[0].name != "prebuilt" || stages[1].name != "build" || stages[2].name != "image" {
		t.Fatalf("stages %+v: prebuilt must be first, as old builders build all before it, and image last, as it "+
			"is the default", stages)
	}
	if from := []string{
		stages[0].from, stages[2].from,
	}; from[0] != "scratch" || from[1] != "scratch" || !strings.HasPrefix(stages[1].from, "golang:") {
		t.Errorf("stages begin from %v and %s", from, stages[1].from)
	}
	build := strings.Join(stages[1].instructions, "\n")
	if !strings.Contains(build, "RUN .ci/binaries /image") {
		t.Errorf("the builder does not run .ci/binaries:\n%s", build)
	}
	where := regexp.MustCompile(`^COPY (--from=build )?--chown=(\d+:\d+) (\S+) /$`)
	var rest [][]string
	for _, s := range []dockerStage{stages[0], stages[2]} {
		m := where.FindStringSubmatch(s.instructions[0])
		if m == nil || m[1] == "" && m[3] != "." || m[1] != "" && m[3] != "/image" {
			t.Fatalf("%s begins with %q", s.name, s.instructions[0])
		}
		rest = append(rest, append([]string{m[2]}, s.instructions[1:]...))
	}
	if !slices.Equal(rest[0], rest[1]) {
		t.Errorf("the targets differ:\n%s\n%s", rest[0], rest[1])
	}
	if !slices.Contains(rest[0], "USER "+rest[0][0]) || strings.HasPrefix(rest[0][0], "0:") {
		t.Errorf("user: %v", rest[0])
	}
}

// TestCompose: what docker-compose.yml is for is in it: who may be reached from outside, and that
// no container is without limits, a health check, or a policy for the day it dies.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image       string
			Build       string
			Pull        string `yaml:"pull_policy"`
			Restart     string
			Ports       []string
			Networks    []string
			Profiles    []string
			ReadOnly    bool `yaml:"read_only"`
			Healthcheck any
			Deploy      struct {
				Resources struct{ Limits map[string]string }
			}
		}
		Networks map[string]struct{ Internal bool }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if !file.Networks["inner"].Internal {
		t.Error("the inner network leads outside")
	}
	secure, err := os.ReadFile("compose.tls.yml")
	if err != nil {
		t.Fatal(err)
	}
	testSecure(t, secure)
	// The command of setup stands in both files, and must not drift.
	command := regexp.MustCompile(`(?m)^    command: \[(sealstream, admin, config.*)\]$`)
	base, tls := command.FindSubmatch(text), command.FindSubmatch(secure)
	if base == nil || tls == nil || string(tls[1]) != string(base[1])+", --tls, --tls-dir, /secrets" {
		t.Errorf("setup runs %s, and with TLS %s", base, tls)
	}
	env, err := os.ReadFile("../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$\{(\w+):-([^}]*)\}`).FindAllStringSubmatch(string(text)+string(secure), -1) {
		if !strings.Contains(string(env), "\n"+m[1]+"="+m[2]+"\n") {
			t.Errorf(".env.example does not have %s=%s", m[1], m[2])
		}
	}
	for _, name := range []string{
		"nats-1", "nats-2", "nats-3", "sealer-1", "sealer-2", "ingest-1", "ingest-2", "query-1", "query-2",
		"front", "alert", "archiver",
	} {
		s, there := file.Services[name]
		if !there {
			t.Errorf("there is no %s", name)
			continue
		}
		if s.Restart != "unless-stopped" || s.Healthcheck == nil || len(s.Deploy.Resources.Limits) != 2 ||
			!s.ReadOnly || !slices.Contains(s.Networks, "inner") {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for name, s := range file.Services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is reached from other machines: %s", name, port)
			}
		}
		if open := len(s.Ports) > 0; s.Profiles == nil && open != (name == "front") {
			t.Errorf("%s publishes %v", name, s.Ports)
		}
		if s.Profiles == nil && (s.Image != "${SEALSTREAM_IMAGE:-sealstream}" ||
			s.Pull != "${SEALSTREAM_PULL_POLICY:-never}") {
			t.Errorf("%s is of another image: %s, %s", name, s.Image, s.Pull)
		}
		if built := s.Build != ""; built != (name == "setup") { // all use the image that one of them builds
			t.Errorf("%s builds %q", name, s.Build)
		}
	}
}

// testSecure: what opens the cluster to other machines asks each caller of a service for
// credentials, and the front for TLS.
func testSecure(t *testing.T, text []byte) {
	t.Helper()
	var file struct {
		Services map[string]struct {
			Environment map[string]string
			Ports       []string
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ingest-1", "ingest-2", "query-1", "query-2", "alert"} {
		if s := file.Services[name]; s.Environment["SEALSTREAM_ACCESS"] == "" || len(s.Ports) > 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	front := file.Services["front"]
	if e := front.Environment; e["SEALSTREAM_EXPOSE"] != "false" || e["SEALSTREAM_TLS_CERT"] == "" ||
		e["SEALSTREAM_TLS_KEY"] == "" || len(front.Ports) != 1 {
		t.Errorf("front: %+v", front)
	}
}

// TestMountPoints: the image has a folder for each volume that setup writes. Docker would make one
// that belongs to root.
func TestMountPoints(t *testing.T) {
	script, err := os.ReadFile("../.ci/binaries")
	if err != nil {
		t.Fatal(err)
	}
	compose, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	made := strings.Fields(string(regexp.MustCompile(`for dir in ([^;]*);`).FindSubmatch(script)[1]))
	mounts := regexp.MustCompile(`(?m)^ +- secrets-[a-z]+:/(out/[a-z/]+)`).FindAllSubmatch(compose, -1)
	if len(mounts) < 8 {
		t.Fatalf("%d volumes of setup", len(mounts))
	}
	for _, m := range mounts {
		at := string(m[1])
		if !slices.ContainsFunc(made, func(dir string) bool { return dir == at || strings.HasPrefix(dir, at+"/") }) {
			t.Errorf("/%s is not in the image", at)
		}
	}
}
