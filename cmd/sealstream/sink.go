package main

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/sink/filesink"
)

type sinkCmd struct {
	Verify sinkVerifyCmd `cmd:"" help:"Check files of signed lines, and folders of them."`
}

type sinkVerifyCmd struct {
	Files   []string `arg:"" help:"Files, also compressed ones, or folders of a sink." type:"path" placeholder:"FILE|DIR"`
	KeyFile []string `help:"File with an HMAC key; repeat it for each that was used. None: signatures are not checked." type:"path" sep:"none" placeholder:"FILE"`
}

func (*sinkVerifyCmd) Help() string {
	return `A folder is checked as a whole: that no file is missing, and that none was cut. A file alone is checked by its lines.
The key makes lines as well as it checks them: that they are the log's, only their entry hashes can show, with "sealstream prove" or "verify --entry-hash".

Examples:
  sealstream sink verify /var/log/sealstream --key-file audit.key
  sealstream sink verify audit_trail.jsonl audit_trail.20261123124702.jsonl --key-file toolkit.key`
}

// Run prints the first error and its line, or what was checked.
func (c *sinkVerifyCmd) Run(a *app) error {
	var ring filesink.Ring
	for _, path := range c.KeyFile {
		keys, err := filesink.ReadKey(path)
		if err != nil {
			return err
		}
		ring = append(ring, keys)
	}
	r, err := filesink.Verify(a.ctx, c.Files, ring)
	if err != nil {
		return err
	}
	if a.json {
		err = a.print(r)
	} else {
		err = c.show(a, r)
	}
	if err == nil && !r.Valid {
		return shown{failed("the files do not verify")}
	}
	return err
}

func (c *sinkVerifyCmd) show(a *app, r filesink.Report) (err error) {
	say := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintln(a.out, plain(fmt.Sprintf(format, args...)))
		}
	}
	for _, n := range r.Notes {
		say("note: %s", n)
	}
	if !r.Valid {
		say("INVALID %s", r.Problem.Error())
		return err
	}
	say("valid: %s in %s", plural(r.Entries, "entry", "entries"), plural(uint64(len(r.Files)), "file", "files"))
	if !r.Signed {
		say("signatures were not checked: --key-file takes the key")
	}
	return err
}
