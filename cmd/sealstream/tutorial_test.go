package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTutorial walks the toolkit's tutorial: it runs every sample of docs/agt, in Python, Go and on
// the command line, against a `sealstream up` of its own for each page, and prints how many there
// are. Only the server's address is changed.
func TestTutorial(t *testing.T) {
	pages := samplePages(t, "../../docs/agt/*.md")
	built := buildDocs(t)
	counts := map[string]int{}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			d := built.up(t)
			for kind, n := range d.tutorialPage(t, page) {
				counts[kind] += n
			}
		})
	}
	for _, kind := range []string{"python", "go", "sh"} {
		if counts[kind] < 15 {
			t.Errorf("%d samples of kind %s", counts[kind], kind)
		}
	}
	t.Logf("the tutorial: %d pages, %d samples: %d in Python, %d in Go, %d on the command line", len(pages),
		counts["python"]+counts["go"]+counts["sh"], counts["python"], counts["go"], counts["sh"])
}

// up starts a log in a process of its own, as a newcomer does.
func (d *docs) up(t *testing.T) *docs {
	t.Helper()
	started := &docs{root: d.root, bin: d.bin, dir: t.TempDir()}
	http, nats := freeAddress(t), freeAddress(t)
	started.url, started.nats = "http://"+http, "nats://"+nats
	c := exec.Command(d.bin+"/sealstream", "up", "--data", started.dir+"/sealstream-data", "--http", http, "--nats",
		nats)
	output, err := os.Create(started.dir + "/up.log")
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = output, output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
		output.Close()
	})
	started.ready(t)
	return started
}

func (d *docs) ready(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		if r, err := http.Get(d.url + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			output, _ := os.ReadFile(d.dir + "/up.log")
			t.Fatalf("up is not ready:\n%s", output)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// tutorialPage runs the samples of a page in their order, those in Go last, as one program. It
// returns how many of each kind there are.
func (d *docs) tutorialPage(t *testing.T, page string) map[string]int {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(d.dir+"/sealstream-data", dir+"/sealstream-data"); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	var fragments []sample
	for _, s := range samples(string(text)) {
		counts[s.kind]++
		if s.kind == "go" && !strings.HasPrefix(s.text, "package") {
			fragments = append(fragments, s)
			continue
		}
		out, err := d.run(t, dir, s)
		if err != nil {
			t.Fatalf("line %d: %v\n%s\n%s", s.line, err, s.text, out)
		}
		s.check(t, out)
	}
	if len(fragments) == 0 {
		return counts
	}
	out, err := d.run(t, dir, sample{kind: "go", text: goProgram(fragments)})
	if err != nil {
		t.Fatalf("the page's Go samples: %v\n%s", err, out)
	}
	outs := strings.Split(out, endOfSample)
	for i, s := range fragments {
		s.check(t, outs[i])
	}
	return counts
}

// endOfSample stands between what the samples of a program print.
const endOfSample = "\x1e\n"

// goProgram puts the insides of a main function together, each as a function of its own.
func goProgram(fragments []sample) string {
	var body strings.Builder
	for i, s := range fragments {
		fmt.Fprintf(&body, "\nfunc sample%d() {\n%s}\n", i, s.text)
	}
	body.WriteString("\nfunc main() {\n")
	body.WriteString("\tif c, err = client.New(client.Config{Server: \"http://127.0.0.1:8420\", Key: " +
		"string(key)}); err != nil {\n" +
		"\t\tlog.Fatal(err)\n\t}\n\tdefer c.Close(ctx)\n")
	for i := range fragments {
		fmt.Fprintf(&body, "\tsample%d()\n\tfmt.Print(%q)\n", i, endOfSample)
	}
	body.WriteString("}\n")
	const pkg = "github.com/sealstream/sealstream/pkg/"
	var imports strings.Builder
	for _, path := range []string{"encoding/json", "time", pkg + "api", pkg + "compliance", pkg + "entry"} {
		if strings.Contains(body.String(), filepath.Base(path)+".") {
			fmt.Fprintf(&imports, "\t%q\n", path)
		}
	}
	return "package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\t\"log\"\n\t\"os\"\n\t\"" + pkg + "client\"\n" + imports.String() + `)

var (
	ctx      = context.Background()
	key, err = os.ReadFile("sealstream-data/log.pub")
	c        *client.Client
)
` + body.String()
}
