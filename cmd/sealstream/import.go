package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sealstream/sealstream/pkg/entry"
)

type importCmd struct {
	File   string `arg:"" help:"File of CloudEvents: one a line, or a JSON array; - for standard input." placeholder:"FILE"`
	Format string `help:"cloudevents: CloudEvents in the JSON format." enum:"cloudevents" default:"cloudevents"`
}

func (*importCmd) Help() string {
	return "An event that the log has already is not recorded again, so an import that broke off is simply done again.\n\nExample:\n  sealstream import events.jsonl"
}

// importReport is what an import came to.
type importReport struct {
	Accepted     int             `json:"accepted"`
	Repeated     int             `json:"repeated"`
	Rejected     int             `json:"rejected"`
	HMACVerified int             `json:"hmac_verified"`
	Problems     []importProblem `json:"problems"`
}

type importProblem struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// importMessage is how many events go in one request, and how many bytes.
const (
	importEvents = entry.MaxMessageEvents
	importBytes  = 800 << 10
)

// Run sends the file's events in their order, each group once the one before is sealed: what they are counted as
// (new, repeated, refused) is what the log says of them.
func (c *importCmd) Run(a *app) error {
	in, size, err := c.open(a)
	if err != nil {
		return err
	}
	defer in.Close()
	im := &importer{app: a, report: importReport{Problems: []importProblem{}}}
	bar := a.progress("bytes", size)
	err = im.read(&countingReader{in, 0, bar})
	bar.done()
	if err != nil {
		return err
	}
	r := im.report
	if a.json {
		err = a.print(r)
	} else {
		_, err = fmt.Fprintf(a.out, "%d accepted, %d repeated, %d rejected\n", r.Accepted, r.Repeated, r.Rejected)
		for _, p := range r.Problems {
			fmt.Fprintf(a.err, "line %d: %s\n", p.Line, p.Reason)
		}
	}
	if err == nil && len(r.Problems) > 0 {
		err = shown{failed("%d lines were refused", len(r.Problems))}
	}
	return err
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

// importer collects events into groups and sends them.
type importer struct {
	*app
	report importReport
	events []json.RawMessage
	lines  []int
	bytes  int
}

// read takes one event a line, or, if the file begins with a bracket, the elements of one array.
func (im *importer) read(r io.Reader) error {
	b := bufio.NewReaderSize(r, 1<<20)
	for {
		c, err := b.Peek(1)
		if err == io.EOF {
			return im.send()
		} else if err != nil {
			return err
		}
		if !bytes.ContainsAny(c, " \t\r\n") {
			break
		}
		b.Discard(1)
	}
	if c, _ := b.Peek(1); c[0] == '[' {
		return im.array(b)
	}
	for line := 1; ; line++ {
		text, err := b.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if text := bytes.TrimSpace(text); len(text) > 0 {
			if err := im.add(text, line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return im.send()
		}
	}
}

// array reads the elements of a JSON array; a problem's line is then the number of its element, from 1.
func (im *importer) array(r io.Reader) error {
	d := json.NewDecoder(r)
	n := 1
	_, err := d.Token()
	for ; err == nil && d.More(); n++ {
		var event json.RawMessage
		if err = d.Decode(&event); err != nil {
			break
		}
		if err := im.add(event, n); err != nil {
			return err
		}
	}
	if err == nil {
		_, err = d.Token() // the closing bracket
	}
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return im.send()
		}
		err = errors.New("something follows the array")
	}
	if err := im.send(); err != nil { // what was good before is in
		return err
	}
	im.refuse(n, fmt.Sprintf("the array breaks off here, and nothing behind it was read: %v", err))
	return nil
}

// add takes an event's bytes as they are. What is not even JSON cannot go into a request with others: it is told here.
func (im *importer) add(event []byte, line int) error {
	if _, err := entry.ParseEvent(event); err != nil {
		im.refuse(line, err.Error())
		return nil
	}
	if len(im.events) == importEvents || im.bytes+len(event) > importBytes && len(im.events) > 0 {
		if err := im.send(); err != nil {
			return err
		}
	}
	im.events = append(im.events, bytes.Clone(event))
	im.lines = append(im.lines, line)
	im.bytes += len(event) + 1
	return nil
}

func (im *importer) refuse(line int, reason string) {
	im.report.Rejected++
	im.report.Problems = append(im.report.Problems, importProblem{line, reason})
}

// send records the group and counts what became of each event.
func (im *importer) send() error {
	if len(im.events) == 0 {
		return nil
	}
	receipts, err := im.record("application/cloudevents-batch+json", joinArray(im.events), "sealed")
	if err != nil {
		return err
	}
	if len(receipts) != len(im.events) {
		return errors.New("import: the server answered for another number of events")
	}
	for i, r := range receipts {
		switch r.Status {
		case "sealed":
			im.report.Accepted++
		case "duplicate":
			im.report.Repeated++
		case "rejected":
			im.refuse(im.lines[i], r.reason())
		default:
			return fmt.Errorf("import: line %d was stored, but is not sealed yet; import the file again later to see", im.lines[i])
		}
	}
	im.events, im.lines, im.bytes = nil, nil, 0
	return nil
}

// joinArray keeps the events' own bytes, which json.Marshal would change.
func joinArray(list []json.RawMessage) []byte {
	b := []byte{'['}
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, e...)
	}
	return append(b, ']')
}
