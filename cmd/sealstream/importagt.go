package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/sealstream/sealstream/pkg/agt"
)

// agtFormat reads what the agent-governance-toolkit wrote: lines of its trail, or events of its export, told apart by what they hold.
type agtFormat struct {
	trail  agt.Trail
	lines  int // of a trail
	export agt.Export
}

func newAGTFormat(keyFile string) (*agtFormat, error) {
	f := &agtFormat{}
	if keyFile == "" {
		return f, nil
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("--key-file: %w", err)
	}
	if f.trail.Key = bytes.TrimSuffix(bytes.TrimSuffix(key, []byte("\n")), []byte("\r")); len(f.trail.Key) == 0 {
		return nil, fmt.Errorf("--key-file: %s is empty", keyFile)
	}
	return f, nil
}

func (f *agtFormat) event(im *importer, raw []byte, line int) (imported, error) {
	v, err := agt.Parse(raw)
	if err == nil && v.Get("specversion") != nil {
		return f.exported(im, raw, line)
	}
	f.lines++
	l, restarts, broken, err := f.trail.Next(raw)
	if err != nil {
		return imported{}, err
	}
	if f.trail.Key != nil {
		im.report.HMACVerified++
	}
	if broken != nil {
		im.problem(line, broken.Error()+"; the line itself is good, and is taken")
	}
	if restarts {
		im.note(line, "the chain begins anew here, as it does in each file of the toolkit's; whether files are missing before it, nothing can tell")
	}
	if l.Unusual {
		im.note(line, "not written as the toolkit writes it, though the values are those under its hash")
	}
	e, err := l.Event(f.trail.Key != nil)
	return imported{line: line, event: e.AppendJSON(nil), of: e}, err
}

// errNoSignature: who asks for signatures to be checked must not believe that these were.
var errNoSignature = errors.New("an event of an export has no signature that --key-file could check")

func (f *agtFormat) exported(im *importer, raw []byte, line int) (imported, error) {
	if f.trail.Key != nil {
		return imported{}, errNoSignature
	}
	x, broken, err := f.export.Next(raw)
	if err != nil {
		return imported{}, err
	}
	if broken != nil {
		im.problem(line, broken.Error()+"; it is taken")
	}
	if !x.Verified && x.EntryHash != "" {
		im.problem(line, "its hash fits nothing that it can have said: it was altered, or its data has overwritten what cannot be found again; it is taken, and flagged as ambiguous")
	}
	e, err := x.Event()
	return imported{line: line, event: e.AppendJSON(nil), of: e}, err
}
