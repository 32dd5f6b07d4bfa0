package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
)

type archiveCmd struct {
	List   archiveListCmd   `cmd:"" help:"List the segments of the archive."`
	Verify archiveVerifyCmd `cmd:"" help:"Check every object of the archive, and the log that it contains."`
}

// archiveTarget names the log whose archive is meant.
type archiveTarget struct {
	Target string `arg:"" optional:"" help:"Data directory of a stopped log, or URL of a server. Default: the URL of --server." placeholder:"DIR|URL"`
}

// dir reports whether the target is a data directory. If it is a URL, dir sets a.server.
func (t archiveTarget) dir(a *app) (bool, error) {
	if t.Target == "" {
		return false, nil
	}
	if strings.HasPrefix(t.Target, "http://") || strings.HasPrefix(t.Target, "https://") {
		a.server = t.Target
		return false, nil
	}
	info, err := os.Stat(t.Target)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "archive", Path: t.Target, Err: fmt.Errorf("neither a data directory nor a URL")}
	}
	return err == nil, err
}

type archiveListCmd struct{ archiveTarget }

func (*archiveCmd) Help() string {
	return "Examples:\n  sealstream archive list\n  sealstream archive verify sealstream-data --key log.pub"
}

func (*archiveListCmd) Help() string {
	return "Examples:\n  sealstream archive list\n  sealstream archive list sealstream-data"
}

// Run prints a line for each segment.
func (c *archiveListCmd) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	var l archive.Listing
	if dir {
		l, err = datadir.ListArchiveDir(a.ctx, c.Target)
	} else {
		err = a.get("/v1/archive", nil, &l)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.print(l)
	}
	for _, s := range l.Segments {
		fmt.Fprintf(a.out, "segment %08d  indexes %d to %d  SEALED %d to %d  %s of %s", s.Segment, s.First, s.Size-1,
			s.FirstSeq, s.LastSeq, mebibytes(s.SealedBytes+s.PayloadsBytes), mebibytes(s.ContentBytes))
		if s.Erased > 0 {
			fmt.Fprintf(a.out, "  %d erased", s.Erased)
		}
		fmt.Fprintln(a.out)
	}
	fmt.Fprintf(a.out, "%d entries in %d segments; SEALED begins with sequence %d\n", l.Size, len(l.Segments),
		l.SealedFirst)
	if l.Archiver != nil && l.Archiver.Error != nil {
		return failed("the archiver reports an error: %s", *l.Archiver.Error)
	}
	return nil
}

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

type archiveVerifyCmd struct {
	archiveTarget
	Key        string   `help:"The log's public key, or its file. A server uses its own." placeholder:"KEY|FILE"`
	Checkpoint []string `help:"File of a saved checkpoint. The log of a data directory must continue it." type:"path" placeholder:"FILE"`
}

func (*archiveVerifyCmd) Help() string {
	return "Examples:\n  sealstream archive verify\n  sealstream archive verify sealstream-data --key log.pub"
}

// Run prints each damaged object, and the verdict.
func (c *archiveVerifyCmd) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	var v archive.Verdict
	if dir {
		var cfg audit.Config
		if cfg, err = c.config(); err == nil {
			v, err = datadir.VerifyArchiveDir(a.ctx, c.Target, cfg)
		}
	} else if c.Key != "" || len(c.Checkpoint) > 0 {
		err = fmt.Errorf("--key and --checkpoint are for a data directory: a server uses its own key; " +
			"`sealstream verify URL` accepts yours")
	} else {
		err = a.getSlow("/v1/archive/verify", &v)
	}
	if err != nil {
		return err
	}
	if a.json {
		if err := a.print(v); err != nil {
			return err
		}
	} else {
		c.show(a, v)
	}
	if !v.Valid {
		return shown{failed("the archive does not verify")}
	}
	return nil
}

func (c *archiveVerifyCmd) config() (cfg audit.Config, err error) {
	if cfg.Keys, err = readKeys(c.Key); err != nil {
		return cfg, err
	}
	cfg.Known, err = readCheckpoints(c.Checkpoint)
	return cfg, err
}

func (c *archiveVerifyCmd) show(a *app, v archive.Verdict) {
	for _, d := range v.Damaged {
		fmt.Fprintf(a.out, "damaged  %s\n", d)
	}
	text := ""
	switch {
	case v.Valid && len(v.Damaged) > 0:
		text = fmt.Sprintf(
			"OK: %d entries in %d segments; with the newer entries: size %d, root %s; "+
				"the archiver makes damaged indexes again when it starts",
			v.Archived, v.Segments, v.TreeSize, v.Root)
	case v.Valid:
		text = fmt.Sprintf(
			"OK: %d entries in %d segments, each object as it was written; with the newer entries: size %d, root %s",
			v.Archived, v.Segments, v.TreeSize, v.Root)
	case v.FirstBadIndex != nil:
		text = fmt.Sprintf("FAILED: %s; first bad index %d", *v.Error, *v.FirstBadIndex)
	default:
		text = "FAILED: " + *v.Error
	}
	io.WriteString(a.out, a.style().wrap(text, 4))
}
