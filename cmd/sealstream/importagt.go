package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/sealstream/sealstream/internal/agt"
)

// agtFormat reads the files of the agent-governance-toolkit. A line with a specversion is an event
// of its export, and any other line is a line of its audit trail.
type agtFormat struct {
	trail  agt.Trail
	lines  int // lines of the trail
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
		im.problem(line, broken.Error()+"; the line itself is valid and is imported")
	}
	if restarts {
		im.note(line, "a new chain begins here, as in each file of the toolkit; "+
			"whether files before it are missing is unknown")
	}
	if l.Unusual {
		im.note(line, "the toolkit would have written this line differently, but its hash covers the same values")
	}
	e, err := l.Event(f.trail.Key != nil)
	return imported{line: line, event: e.AppendJSON(nil), of: e}, err
}

// errNoSignature refuses --key-file for an export, so that nobody believes that signatures were
// checked.
var errNoSignature = errors.New("an event of an export has no signature for --key-file to check")

func (f *agtFormat) exported(im *importer, raw []byte, line int) (imported, error) {
	if f.trail.Key != nil {
		return imported{}, errNoSignature
	}
	x, broken, err := f.export.Next(raw)
	if err != nil {
		return imported{}, err
	}
	if broken != nil {
		im.problem(line, broken.Error()+"; it is imported")
	}
	if !x.Verified && x.EntryHash != "" {
		im.problem(line, "its hash fits no possible original: it was altered, or its data has overwritten values "+
			"that cannot be recovered; it is imported and flagged as ambiguous")
	}
	e, err := x.Event()
	return imported{line: line, event: e.AppendJSON(nil), of: e}, err
}
