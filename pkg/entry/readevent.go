package entry

import (
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// This file reads events of the usual form in one pass. It checks their data as strictly as the
// general parser and gives up at the first thing that is unusual or wrong. The general parser then
// reads the event again and says what is wrong. Ingest and sealer each parse every event, so the
// speed of a log depends on this pass.

// readFast reads a structured event whose attributes are plain strings and whose data, if any, is
// JSON. If it returns false, parseGeneral must read the event. Data is a part of raw.
func (e *Event) readFast(raw []byte) bool {
	s := canonical.NewScanner(raw)
	defer s.Free()
	return e.scan(s) && s.AtEnd()
}

// scan is readFast for an event that stands in a longer text.
func (e *Event) scan(s *canonical.Scanner) bool {
	outer, ok := s.Open()
	if !ok {
		return false
	}
	version := false
	var data []byte
	for {
		name, ok := s.Member(outer)
		if !ok {
			return false
		}
		switch s.Space(); string(name) {
		case "data":
			begin := s.Offset()
			if !s.Value(ruleset.MaxDepth) {
				return false
			}
			data = s.Since(begin)
		case "data_base64":
			return false
		default:
			value, escaped, ok := s.Text()
			if !ok || escaped || !e.take(name, s.Copy(value)) {
				return false
			}
			version = version || string(name) == "specversion"
		}
		if !s.Byte(',') {
			break
		}
	}
	if !s.Close(outer) || !version {
		return false
	}
	if data != nil {
		if !ruleset.IsJSON(e.Extensions["datacontenttype"]) {
			return false
		}
		e.Data, e.HasData, e.rawJSON = data, true, true
	}
	return true
}

// Scan reads one event at the place of s and checks it. It is for package inbox, which reads many
// events in one pass; other programs call ParseEvent. ok is false if the event is not of the usual
// form: ParseEvent must then read it. Data is a part of the scanned text.
func (e *Event) Scan(s *canonical.Scanner) (ok bool, err error) {
	if !e.scan(s) {
		return false, nil
	}
	return true, e.finish()
}

// take is set; the usual names are neither checked nor copied.
func (e *Event) take(name []byte, value string) bool {
	if known := usualName(name); known != "" {
		return checkValue(known, value) == nil && e.assign(known, value) == nil
	}
	return e.set(string(name), value) == nil
}

// usualName is a name that CloudEvents or SPEC 2 gives to an attribute, or "".
func usualName(name []byte) string {
	for _, usual := range usualNames[min(len(name), len(usualNames)-1)] {
		if string(name) == usual {
			return usual
		}
	}
	return ""
}

// usualNames are these names by their length.
var usualNames = func() (list [16][]string) {
	for _, name := range []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype",
		"dataschema", "action", "outcome",
		"policydecision", "matchedrule", "traceid", "sessionid", "targetdid", "agentsignature", "agentseq", "agentprev",
		"datasalt", "traceparent"} {
		list[len(name)] = append(list[len(name)], name)
	}
	return list
}()
