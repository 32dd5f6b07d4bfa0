package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealstream/sealstream/internal/size"
)

type exportCmd struct {
	filterFlags
	Format string `help:"jsonl: verifies offline; json: one document; cloudevents: a JSON array of CloudEvents, or cloudevents-jsonl: one a line; csv: for spreadsheets; tiles: a directory for any file server, without payloads, to which a later run adds." enum:"jsonl,json,cloudevents,cloudevents-jsonl,csv,tiles" default:"jsonl"`
	Out    string `help:"File to write to. Default: standard output." short:"o" type:"path" placeholder:"FILE"`
	Key    string `help:"The log's public key, or its file. The checkpoint in the tiles is checked with it." placeholder:"KEY|FILE"`
	Dir    string `arg:"" optional:"" help:"Directory of the tiles." type:"path"`
}

func (*exportCmd) Help() string {
	return `With --out, the manifest of a format that cannot contain it is written to FILE.manifest.json.

Examples:
  sealstream export -o log.jsonl && sealstream verify log.jsonl --key log.pub
  sealstream export --agent did:web:agent.example.com -o agent.jsonl
  sealstream export --format tiles --key log.pub public/`
}

// Run streams the export. An export that breaks off leaves no file with the name of --out.
func (c *exportCmd) Run(a *app) error {
	if c.Format == "tiles" {
		return c.tiles(a)
	}
	if c.Dir != "" || c.Key != "" {
		return errors.New("a directory and --key require --format tiles; give --out to name a file")
	}
	q, err := c.values()
	if err != nil {
		return err
	}
	q.Set("format", c.Format)
	resp, err := a.open("/v1/export", q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if c.Out == "" {
		_, err := io.Copy(a.out, resp.Body)
		return brokenExport(err)
	}
	bar := a.progress(inBytes, 0)
	n, err := writeWhole(c.Out, &countingReader{resp.Body, 0, bar})
	bar.done()
	if err == nil {
		err = c.sidecar(resp.Header.Get("Sealstream-Manifest"))
	}
	if err != nil {
		return brokenExport(err)
	}
	if a.json {
		return a.print(map[string]any{"file": c.Out, "bytes": n})
	}
	written := fmt.Sprintf("%d bytes", n)
	if isTerminal(a.err) {
		written = size.Short(n)
	}
	fmt.Fprintf(a.err, "wrote %s, %s\n", c.Out, written)
	return nil
}

// sidecar writes the manifest of the response's header to a file beside the export. It does nothing
// if there is no such header.
func (c *exportCmd) sidecar(manifest string) error {
	if manifest == "" {
		return nil
	}
	_, err := writeWhole(c.Out+".manifest.json", strings.NewReader(manifest+"\n"))
	return err
}

// writeWhole writes a file and returns its length. A crash or an error leaves the old file, or
// none, under that name.
func writeWhole(name string, r io.Reader) (int64, error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".sealstream-export-*")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("there is no folder %s", filepath.Dir(name))
	} else if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	n, err := io.Copy(f, r)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return n, err
}

func brokenExport(err error) error {
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// countingReader moves a progress bar by the bytes that were read.
type countingReader struct {
	r   io.Reader
	n   uint64
	bar *progress
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += uint64(n)
	c.bar.at(c.n)
	return n, err
}
