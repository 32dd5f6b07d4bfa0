package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

type importCmd struct {
	File    string   `arg:"" help:"File of events: one per line, or a JSON array. - is standard input." placeholder:"FILE"`
	Format  string   `help:"cloudevents: CloudEvents in the JSON format; agt: an audit trail or CloudEvents export of the agent-governance-toolkit; jsonl: any JSON objects, one per line." enum:"cloudevents,agt,jsonl" default:"cloudevents"`
	KeyFile string   `help:"With agt: file with the HMAC key of the trail. Without it, signatures are not checked." placeholder:"FILE"`
	Map     []string `help:"With jsonl: path of an entry's field in the object, such as agent_did=user.name. A path is a.b.0 or a JSON pointer, and . is the whole object. FIELD= leaves the field out." sep:"none" placeholder:"FIELD=PATH"`
	Set     []string `help:"With jsonl: value of a field in every entry." sep:"none" placeholder:"FIELD=VALUE"`
	DryRun  bool     `help:"Check the file and compare it with the log, but record nothing."`
}

func (*importCmd) Help() string {
	return `An event that is already in the log is not recorded again. If an import is interrupted, run it again.

Examples:
  sealstream import events.jsonl
  sealstream import --format agt --key-file hmac.key audit_trail.jsonl
  sealstream import --format jsonl --map agent_did=user.name \
    --map timestamp=ts --set event_type=tool_invocation old.log`
}

// importReport is the result of an import.
type importReport struct {
	Accepted     int             `json:"accepted"`
	Repeated     int             `json:"repeated"`
	Rejected     int             `json:"rejected"`
	HMACVerified int             `json:"hmac_verified"`
	Problems     []importProblem `json:"problems"`
	Notes        []importProblem `json:"notes,omitempty"`   // remarks that are not faults
	Flagged      map[string]int  `json:"flagged,omitempty"` // attribute to the number of entries that it marks
	DryRun       bool            `json:"dry_run,omitempty"`
}

// importProblem is a remark on a line of the file.
type importProblem struct {
	Line   int    `json:"line"` // from 1; in a JSON array the number of the element; 0 for the whole file
	Reason string `json:"reason"`
}

// Run sends the file's events in order. It sends each group after the one before is sealed, and
// counts each event by its receipt: new, repeated or refused.
func (c *importCmd) Run(a *app) error {
	format, err := c.format()
	if err != nil {
		return err
	}
	in, size, err := c.open(a)
	if err != nil {
		return err
	}
	defer in.Close()
	im := &importer{app: a, format: format, dry: c.DryRun, ask: c.DryRun || c.Format != "cloudevents",
		report: importReport{Problems: []importProblem{}, Flagged: map[string]int{}, DryRun: c.DryRun}}
	bar := a.progress(inBytes, size)
	err = im.read(&countingReader{in, 0, bar})
	bar.done()
	if err != nil {
		return err
	}
	im.settle()
	if format, ok := format.(*agtFormat); ok && format.trail.Key == nil && format.lines > 0 {
		im.note(0, "without --key-file, signatures were not checked, so anyone may have written these lines")
	}
	slices.SortStableFunc(im.report.Problems, func(a, b importProblem) int { return a.Line - b.Line })
	if a.json {
		err = a.print(im.report)
	} else {
		err = im.print()
	}
	if err == nil && len(im.report.Problems) > 0 {
		err = shown{failed("%d problems", len(im.report.Problems))}
	}
	return err
}

// print prints the report as text.
func (im *importer) print() error {
	r := im.report
	would := ""
	if r.DryRun {
		would = "would be "
	}
	_, err := fmt.Fprintf(im.out, "%s%d accepted, %d repeated, %d rejected\n", would, r.Accepted, r.Repeated, r.Rejected)
	if r.HMACVerified > 0 {
		fmt.Fprintf(im.out, "%d signatures verified\n", r.HMACVerified)
	}
	for _, f := range flagNames {
		if n := r.Flagged[f.name]; n > 0 {
			fmt.Fprintf(im.out, "%d flagged: %s\n", n, f.text)
		}
	}
	for _, p := range r.Problems {
		fmt.Fprintf(im.err, "line %d: %s\n", p.Line, plain(p.Reason))
	}
	for _, p := range r.Notes {
		if p.Line > 0 {
			fmt.Fprintf(im.err, "line %d: ", p.Line)
		}
		fmt.Fprintf(im.err, "note: %s\n", plain(p.Reason))
	}
	return err
}

// format returns the format of --format. It fails on flags that the format does not have.
func (c *importCmd) format() (importFormat, error) {
	if c.KeyFile != "" && c.Format != "agt" {
		return nil, errors.New("--key-file requires --format agt")
	}
	if len(c.Map)+len(c.Set) > 0 && c.Format != "jsonl" {
		return nil, errors.New("--map and --set require --format jsonl")
	}
	switch c.Format {
	case "agt":
		return newAGTFormat(c.KeyFile)
	case "jsonl":
		return newFieldMap(c.Map, c.Set)
	}
	return cloudEvents{}, nil
}

func (c *importCmd) open(a *app) (io.ReadCloser, uint64, error) {
	if c.File == "-" {
		return io.NopCloser(a.in), 0, nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, 0, fmt.Errorf("import: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return f, uint64(info.Size()), nil
}
