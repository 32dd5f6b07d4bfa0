package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/agt"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// How many events go in one request, and how many bytes.
const (
	importEvents = entry.MaxMessageEvents
	importBytes  = 800 << 10
)

// imported is one event on its way into the log.
type imported struct {
	line  int
	event []byte      // a CloudEvent in the JSON format
	of    entry.Event // the same, read
}

// importer collects events into groups and sends them.
type importer struct {
	*app
	format importFormat
	dry    bool // send nothing
	ask    bool // ask the log for each event before it is sent
	report importReport
	group  []imported
	bytes  int
	newest *uint64 // index that was sealed last
	learn  sync.Once
	rules  *redact.Set // by which the log redacts; nil: by none, or they are not known
}

// importFormat makes events of what a file holds.
type importFormat interface {
	// event reads a line, or an element of an array. The event's bytes are what is sent; an error says why there is none. Of an event that is sent
	// nevertheless, what is wrong with it is told to the importer.
	event(im *importer, raw []byte, line int) (imported, error)
}

// cloudEvents are sent byte for byte.
type cloudEvents struct{}

// What is not even JSON cannot go into a request with others: it is told here.
func (cloudEvents) event(_ *importer, raw []byte, line int) (imported, error) {
	e, err := entry.ParseEvent(raw)
	return imported{line: line, event: bytes.Clone(raw), of: e}, err
}

// add takes one line or element.
func (im *importer) add(raw []byte, line int) error {
	x, err := im.format.event(im, raw, line)
	if err != nil {
		im.refuse(line, err.Error())
		return nil
	}
	if len(im.group) == importEvents || im.bytes+len(x.event) > importBytes && len(im.group) > 0 {
		if err := im.send(); err != nil {
			return err
		}
	}
	im.group = append(im.group, x)
	im.bytes += len(x.event) + 1
	return nil
}

func (im *importer) refuse(line int, reason string) {
	im.report.Rejected++
	im.problem(line, reason)
}

func (im *importer) problem(line int, reason string) {
	im.report.Problems = append(im.report.Problems, importProblem{line, reason})
}

func (im *importer) note(line int, reason string) {
	im.report.Notes = append(im.report.Notes, importProblem{line, reason})
}

// flagNames are the attributes that mark an entry, in the order of the report.
var flagNames = []struct{ name, text string }{
	{agt.ExtTime, "their time was no RFC 3339, and was repaired"},
	{extImportTime, "their time was no RFC 3339, and was repaired"},
	{agt.ExtAmbiguous, "the agent's own data may have overwritten their fields"},
	{agt.ExtRecovered, "the agent's own data had overwritten fields, whose true values their hash proves"},
	{agt.ExtLost, "the agent's own data had overwritten fields, whose true values are lost"},
	{agt.ExtUnsigned, "they have fields that no hash or signature of the toolkit's covers"},
	{agt.ExtAction, "their action is none that this log knows, and is kept aside"},
	{agt.ExtOutcome, "their outcome is none that this log knows, and is kept aside"},
	{agt.ExtData, "their data is no JSON, and is kept as text"},
}

// flag counts the marks of an event that the log has now.
func (im *importer) flag(x imported) {
	for _, f := range flagNames {
		if x.of.Extensions[f.name] != "" {
			im.report.Flagged[f.name]++
		}
	}
}

// send records the group and counts what became of each event.
func (im *importer) send() error {
	group := im.group
	im.group, im.bytes = nil, 0
	if im.ask {
		var err error
		if group, err = im.unknown(group); err != nil {
			return err
		}
	}
	if im.dry {
		im.report.Accepted += len(group)
		for _, x := range group {
			im.flag(x)
		}
		return nil
	}
	if len(group) == 0 {
		return nil
	}
	receipts, err := im.record("application/cloudevents-batch+json", joinArray(group), "sealed")
	if err != nil {
		return err
	}
	if len(receipts) != len(group) {
		return errors.New("import: the server answered for another number of events")
	}
	for i, r := range receipts {
		if err := im.count(group[i], r); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) count(x imported, r receipt) error {
	switch r.Status {
	case "sealed":
		im.report.Accepted++
		im.flag(x)
		im.newest = r.Index
		if r.EquivocationOf != nil {
			im.problem(x.line, fmt.Sprintf("the log has another event of this agent with this id, index %d; both are kept, and this one is marked", *r.EquivocationOf))
		}
	case "duplicate":
		im.report.Repeated++
	case "rejected":
		im.refuse(x.line, r.reason())
	default:
		return fmt.Errorf("import: line %d was stored, but is not sealed yet; import the file again later to see", x.line)
	}
	return nil
}

// settle waits, for a moment, until the index has what was sealed last: whoever asks the log now, the next import for one, sees it all.
func (im *importer) settle() {
	for deadline := time.Now().Add(2 * time.Second); im.newest != nil && time.Now().Before(deadline) && im.ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		var e json.RawMessage
		if im.get(fmt.Sprintf("/v1/entries/%d", *im.newest), nil, &e) == nil {
			return
		}
	}
}

// joinArray keeps the events' own bytes, which json.Marshal would change.
func joinArray(group []imported) []byte {
	b := []byte{'['}
	for i, x := range group {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, x.event...)
	}
	return append(b, ']')
}
