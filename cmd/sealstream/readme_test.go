package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/node"
)

// TestREADME runs the commands of the README's section on use, as they stand there, against a log with the demo in it. The only change is
// where the API listens; the line for the nats tool is left out, since that is another project's program.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, use, ok := strings.Cut(string(text), "## Use it")
	use, _, ok2 := strings.Cut(use, "\n## ")
	if !ok || !ok2 {
		t.Fatal("the README has no section on use")
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "sealstream"), ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	n, err := node.Up(t.Context(), node.UpConfig{Data: filepath.Join(dir, "sealstream-data"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	blocks := 0
	for i, block := range strings.Split(use, "```sh\n") {
		script, _, _ := strings.Cut(block, "```")
		if i == 0 || strings.HasPrefix(script, "nats ") {
			continue
		}
		blocks++
		script = strings.ReplaceAll(script, "go install ./cmd/sealstream\n", "")
		script = strings.ReplaceAll(script, "http://127.0.0.1:8420", n.URL())
		c := exec.Command("bash", "-e", "-c", script)
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SEALSTREAM_SERVER="+n.URL())
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, script, out)
		}
		want := "OK: size"
		if strings.Contains(script, "compliance") {
			want = "Integrity verification — PASSED"
		} else if strings.Contains(script, "alerts") {
			want = `"alerts"`
		} else if strings.Contains(script, "redact test") {
			want = "app:[REDACTED:url-password]@"
		} else if strings.Contains(script, "curl") {
			want = `"merkle_proof"`
		}
		if !strings.Contains(string(out), want) {
			t.Fatalf("%s\nprints no %s:\n%s", script, want, out)
		}
	}
	if blocks != 5 {
		t.Fatalf("%d blocks were run, want 5", blocks)
	}
}
