package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/demo"
	"github.com/sealstream/sealstream/internal/node"
)

// TestDocs runs every sample of the README and of docs/ against a log with the demo in it. The only
// change is where the server listens. A block of text behind a sample is what the sample prints, line
// by line, with … for anything. The samples of a page run in its own folder, in their order.
func TestDocs(t *testing.T) {
	pages := samplePages(t, "../../docs/*.md")
	d := newDocs(t)
	for _, page := range append([]string{"../../README.md"}, pages...) {
		t.Run(filepath.Base(page), func(t *testing.T) { d.page(t, page) })
	}
}

// samplePages returns the pages of a pattern, whose samples a test runs.
func samplePages(t *testing.T, pattern string) []string {
	if testing.Short() {
		t.Skip("runs every sample of the pages; the race detector has nothing to find in it")
	}
	pages, err := filepath.Glob(pattern)
	if err != nil || len(pages) == 0 {
		t.Fatalf("%s: %d pages, %v", pattern, len(pages), err)
	}
	return pages
}

// docs is what the samples run against.
type docs struct {
	root, dir string // of the repository, and of the log
	bin       string
	url, nats string // of the log
}

// newDocs runs a log in this process, with the demo in it.
func newDocs(t *testing.T) *docs {
	t.Helper()
	d := buildDocs(t)
	cfg := node.UpConfig{Data: d.dir + "/sealstream-data", HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"}
	log, err := node.Up(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	to := demo.Log{Name: "default", HTTP: log.Client(), NATS: log.NATSURL()}
	if _, err := demo.Play(t.Context(), to, func(int) {}); err != nil {
		t.Fatal(err)
	}
	log.Drain(t.Context())
	d.url, d.nats = log.URL(), log.NATSURL()
	return d
}

// buildDocs builds the commands that samples use.
func buildDocs(t *testing.T) *docs {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	d := &docs{root: root, dir: t.TempDir(), bin: t.TempDir()}
	if out, err := exec.Command("go", "build", "-o", d.bin+"/sealstream", ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, d.bin+"/nats"); err != nil { // natsTool
		t.Fatal(err)
	}
	return d
}

// sample is a fenced block, and the block of text behind it.
type sample struct {
	kind, text string
	line       int
	want       []string
}

var fence = regexp.MustCompile("(?m)^```([a-z]*)( skip)?\n((?s:.*?))^```\n")

// samples finds the blocks that are run. One that is marked as skipped starts something that has no end.
func samples(page string) []sample {
	var list []sample
	end := 0
	for _, m := range fence.FindAllStringSubmatchIndex(page, -1) {
		kind, text := page[m[2]:m[3]], page[m[6]:m[7]]
		switch {
		case kind == "text" && len(list) > 0 && strings.TrimSpace(page[end:m[0]]) == "":
			list[len(list)-1].want = strings.Split(strings.TrimSpace(text), "\n")
		case m[4] < 0 && (kind == "sh" || kind == "python" || kind == "go"):
			list = append(list, sample{kind: kind, text: text, line: strings.Count(page[:m[0]], "\n") + 1})
		}
		if end = m[1]; m[4] >= 0 {
			end = 0 // a block of text behind it is not what the sample before prints
		}
	}
	return list
}

func (d *docs) page(t *testing.T, page string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(d.dir+"/sealstream-data", dir+"/sealstream-data"); err != nil {
		t.Fatal(err)
	}
	for _, s := range samples(string(text)) {
		out, err := d.run(t, dir, s)
		if err != nil {
			t.Fatalf("line %d: %v\n%s\n%s", s.line, err, s.text, out)
		}
		s.check(t, out)
	}
}

// check looks for each line that the documentation says is printed.
func (s sample) check(t *testing.T, out string) {
	t.Helper()
	for _, want := range s.want {
		if !promised(want).MatchString(out) {
			t.Errorf("line %d: nothing printed is %q:\n%s", s.line, want, out)
		}
	}
}

// ellipsis stands for anything, blanks around it included.
var ellipsis = regexp.MustCompile(`\s*…\s*`)

// promised is what a line of the documentation says is printed.
func promised(want string) *regexp.Regexp {
	parts := ellipsis.Split(strings.TrimSpace(want), -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(strings.Join(parts, ".*"))
}

// run runs one sample, with this log's addresses in place of the usual ones.
func (d *docs) run(t *testing.T, dir string, s sample) (string, error) {
	text := strings.ReplaceAll(s.text, "http://127.0.0.1:8420", d.url)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var c *exec.Cmd
	switch s.kind {
	case "sh":
		c = exec.CommandContext(ctx, "bash", "-e", "-o", "pipefail", "-c", text)
	case "python":
		c = exec.CommandContext(ctx, "python3", "-W", "error", "-c", text)
	case "go":
		c = d.goSample(t, ctx, dir, text)
	}
	if c.Dir == "" {
		c.Dir = dir
	}
	c.Env = append(os.Environ(), "PATH="+d.bin+":"+os.Getenv("PATH"), "HOME="+dir, "XDG_CONFIG_HOME="+dir+"/.config",
		"GOPATH="+goEnv(t, "GOPATH"), "GOCACHE="+goEnv(t, "GOCACHE"), "SEALSTREAM_SERVER="+d.url, "NATS_URL="+d.nats,
		"SEALSTREAM_SOURCE="+d.root, "AGT="+d.root+"/internal/agt/testdata", "PYTHONPATH="+d.root+"/sdk/python",
		"SEALSTREAM_KEY="+d.dir+"/sealstream-data/log.pub")
	out, err := c.CombinedOutput()
	return string(out), err
}

// goSample makes a program of this module out of a sample, without a file of it in the module, and
// builds it.
func (d *docs) goSample(t *testing.T, ctx context.Context, dir, text string) *exec.Cmd {
	file, overlay, program := dir+"/sample.go", dir+"/overlay.json", dir+"/sample"
	place := filepath.Join(d.root, "cmd", "sample", "main.go")
	for name, content := range map[string]string{file: text, overlay: fmt.Sprintf(`{"Replace":{%q:%q}}`, place, file)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", program, "./cmd/sample")
	build.Dir = d.root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s\n%s", err, out, text)
	}
	return exec.CommandContext(ctx, program)
}

func goEnv(t *testing.T, name string) string {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// natsTool is as much of the command nats as the documentation uses: pub and req.
func natsTool(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: nats pub|req SUBJECT BODY")
	}
	nc, err := nats.Connect(os.Getenv("NATS_URL"))
	if err != nil {
		return err
	}
	defer nc.Close()
	switch args[0] {
	case "pub":
		if err := nc.Publish(args[1], []byte(args[2])); err != nil {
			return err
		}
		return nc.Flush()
	case "req":
		m, err := nc.Request(args[1], []byte(args[2]), 30*time.Second)
		if err != nil {
			return err
		}
		fmt.Println(string(m.Data))
		return nil
	}
	return fmt.Errorf("nats %s is not used in the documentation", args[0])
}
