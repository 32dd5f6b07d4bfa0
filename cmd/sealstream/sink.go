package main

import (
	"fmt"

	filesink "github.com/sealstream/sealstream/internal/sinks/file"
)

type sinkCmd struct {
	Verify sinkVerifyCmd `cmd:"" help:"Check signed log files, or folders of them."`
}

type sinkVerifyCmd struct {
	Files   []string `arg:"" help:"Files, compressed or not, or folders of a sink." type:"path" placeholder:"FILE|DIR"`
	KeyFile []string `help:"File with an HMAC key. Repeat it for each key that was used. Without it, signatures are not checked." type:"path" sep:"none" placeholder:"FILE"`
}

func (*sinkCmd) Help() string {
	return "Example:\n  sealstream sink verify /var/log/sealstream --key-file audit.key"
}

func (*sinkVerifyCmd) Help() string {
	return `In a folder, missing and cut files are detected. In a single file, only its lines are checked.
Whoever has the key can also create lines. To show that a line is from the log, compare its entry
hash with "sealstream prove" or "sealstream verify --entry-hash".

Examples:
  sealstream sink verify /var/log/sealstream --key-file audit.key
  sealstream sink verify audit_trail.jsonl --key-file toolkit.key`
}

// Run prints the first error and its line, or the number of entries that were checked.
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
		say("signatures were not checked; give --key-file to check them")
	}
	return err
}
