package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

type exportCmd struct {
	filterFlags
	Format string `help:"jsonl: verifies offline; json: one document; cloudevents: a JSON array of CloudEvents, or cloudevents-jsonl: one a line; csv: for spreadsheets; tiles: a directory for any file server, without payloads, to which a later run adds." enum:"jsonl,json,cloudevents,cloudevents-jsonl,csv,tiles" default:"jsonl"`
	Out    string `help:"File to write to; none: the terminal." short:"o" type:"path" placeholder:"FILE"`
	Key    string `help:"The log's public key, or its file; the checkpoint in the tiles is checked with it." placeholder:"KEY|FILE"`
	Dir    string `arg:"" optional:"" help:"Directory of the tiles." type:"path"`
}

func (*exportCmd) Help() string {
	return "With --out, a format that has no place for the manifest gets it in a file beside it: FILE.manifest.json.\n\nExamples:\n  sealstream export -o log.jsonl && sealstream verify log.jsonl --key log.pub\n  sealstream export --agent did:web:agent.example.com -o agent.jsonl\n  sealstream export --format tiles --key log.pub public/"
}

// Run streams the export. One that breaks off leaves no file under the name that was asked for.
func (c *exportCmd) Run(a *app) error {
	if c.Format == "tiles" {
		return c.tiles(a)
	}
	if c.Dir != "" || c.Key != "" {
		return errors.New("a directory and --key are for --format tiles; a file is named by --out")
	}
	q := c.values()
	q.Set("format", c.Format)
	resp, err := a.answer("/v1/export", q, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if c.Out == "" {
		_, err := io.Copy(a.out, resp.Body)
		return brokenExport(err)
	}
	bar := a.progress("bytes", 0)
	n, err := writeWhole(c.Out, &countingReader{resp.Body, 0, bar})
	bar.done()
	if err == nil {
		err = c.sidecar(resp.Header.Get("Sealstream-Manifest"))
	}
	if err != nil {
		return brokenExport(err)
	}
	fmt.Fprintf(a.err, "wrote %s, %d bytes\n", c.Out, n)
	return nil
}

// sidecar writes the manifest that came in the header, if one did.
func (c *exportCmd) sidecar(manifest string) error {
	if manifest == "" {
		return nil
	}
	_, err := writeWhole(c.Out+".manifest.json", strings.NewReader(manifest+"\n"))
	return err
}

// writeWhole writes a file under its name once all of it is there.
func writeWhole(name string, r io.Reader) (int64, error) {
	f, err := os.CreateTemp(dirOf(name), ".sealstream-export-*")
	if err != nil {
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
		return fmt.Errorf("the export broke off: %w", err)
	}
	return nil
}

// countingReader moves a progress bar.
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
