package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Limits of one request.
const (
	importEvents = ruleset.MaxMessageEvents
	importBytes  = 800 << 10
)

// imported is one event of the file.
type imported struct {
	line  int         // line or element of the file, from 1
	event []byte      // CloudEvent in the JSON format, which is sent
	of    entry.Event // the same event, parsed
}

// importer collects events into groups and sends them.
type importer struct {
	*app
	format importFormat
	dry    bool // compare, but send nothing
	ask    bool // look for each event in the log before it is sent
	report importReport
	group  []imported // the next request
	bytes  int        // its length
	newest *uint64    // index of the last sealed event, or nil
	learn  sync.Once
	rules  *redact.Set // the log's rules of redaction; nil if it has none, or they are not known
}

// importFormat converts the lines of a file to events.
type importFormat interface {
	// event converts a line, or an element of an array. An error refuses the line. Problems that do
	// not prevent the import are added to the importer's report.
	event(im *importer, raw []byte, line int) (imported, error)
}

// cloudEvents are sent byte for byte.
type cloudEvents struct{}

// event refuses what is not a CloudEvent, because one invalid event would spoil a whole request.
func (cloudEvents) event(_ *importer, raw []byte, line int) (imported, error) {
	e, err := entry.ParseEvent(raw)
	if err == nil {
		err = e.By(ruleset.Newest)
	}
	return imported{line: line, event: bytes.Clone(raw), of: e}, err
}

// add converts a line or an element and adds it to the group. It sends the group first if it is
// full.
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

// flagNames lists the attributes that mark an entry, in the order of the report.
var flagNames = []struct{ name, text string }{
	{agt.ExtTime, "their time was not RFC 3339, and was repaired"},
	{extImportTime, "their time was not RFC 3339, and was repaired"},
	{agt.ExtAmbiguous, "the agent's own data may have overwritten their fields"},
	{agt.ExtRecovered, "the agent's own data had overwritten fields, whose true values their hash proves"},
	{agt.ExtLost, "the agent's own data had overwritten fields, whose true values are lost"},
	{agt.ExtUnsigned, "they have fields that no hash or signature of the toolkit covers"},
	{agt.ExtAction, "this log does not know their action, and keeps it in an attribute"},
	{agt.ExtOutcome, "this log does not know their outcome, and keeps it in an attribute"},
	{agt.ExtData, "their data is not JSON, and is kept as text"},
}

// flag counts the marks of an event that was recorded.
func (im *importer) flag(x imported) {
	for _, f := range flagNames {
		if x.of.Extensions[f.name] != "" {
			im.report.Flagged[f.name]++
		}
	}
}

// send records the group and counts each event by its receipt.
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
		return errors.New("import: the number of receipts differs from the number of events")
	}
	for i, r := range receipts {
		if err := im.count(group[i], r); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) count(x imported, r api.Receipt) error {
	switch r.Status {
	case api.Sealed:
		im.report.Accepted++
		im.flag(x)
		im.newest = &r.Index
		if r.EquivocationOf != 0 {
			im.problem(x.line, fmt.Sprintf("the log has another event of this agent with this id, index %d; "+
				"both are kept, and this one is marked", r.EquivocationOf))
		}
	case api.Duplicate:
		im.report.Repeated++
	case api.Rejected:
		im.refuse(x.line, reason(r))
	default:
		return fmt.Errorf("import: line %d is stored, but not sealed yet; import the file again later to check", x.line)
	}
	return nil
}

// settle waits up to two seconds until queries show the last sealed event, so that the next import
// finds all events of this one.
func (im *importer) settle() {
	if im.newest == nil {
		return
	}
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline) && im.ctx.Err() == nil; {
		var e json.RawMessage
		if im.get(fmt.Sprintf("/v1/entries/%d", *im.newest), nil, &e) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// joinArray joins events to a JSON array. It keeps their bytes, which json.Marshal would change.
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
