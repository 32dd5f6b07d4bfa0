package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOperations runs the blocks of cluster.md that need no cluster, and has the flags of the other
// lines of this program parsed.
func TestOperations(t *testing.T) {
	text, err := os.ReadFile("../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "sealstream"),
		".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	run := func(script string) {
		t.Helper()
		c := exec.Command("bash", "-e", "-c", script)
		c.Dir, c.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, script, out)
		}
	}
	blocks, lines := 0, 0
	for _, block := range strings.Split(string(text), "\n```sh\n")[1:] {
		script, _, _ := strings.Cut(block, "\n```")
		run(script)
		blocks++
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "sealstream ") && strings.Contains(line, "--nats") &&
			!strings.Contains(line, "--print-config") {
			run(line + " --print-config")
			lines++
		}
	}
	if blocks != 4 || lines != 3 {
		t.Fatalf("%d blocks and %d lines were tried, want 4 and 3", blocks, lines)
	}
}
