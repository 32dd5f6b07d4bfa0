package query

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/proof"
)

// CloudEvent returns the entry as the event that it was sealed from, with its seal in the
// extensions sealindex, sealhash and sealprevious. The data is byte for byte what was sealed. Data
// that cannot be read is left out, and sealdataerror says why. The log's own entries get a type
// that ingest refuses, so that none can be replayed as an event, and their detail is in sealdetail.
func (f Found) CloudEvent() (event.Event, error) {
	e := &f.Entry
	c := &event.EventContextV1{
		ID:         e.EntryID,
		Type:       e.CloudEventType,
		Source:     types.URIRef{URL: verbatim(e.AgentDID)},
		Extensions: map[string]any{},
	}
	if e.IsOwn() {
		c.Type = ruleset.CloudEventType(e.EventType)
	}
	if e.Resource != "" {
		c.Subject = &e.Resource
	}
	for name, value := range e.Attributes() {
		switch name {
		case "datacontenttype":
			c.DataContentType = &value
		case "dataschema":
			c.DataSchema = &types.URI{URL: verbatim(value)}
		default:
			c.Extensions[name] = value
		}
	}
	previous, own := f.hashes()
	for name, value := range map[string]string{
		"action": e.Action, "outcome": e.Outcome, "policydecision": e.PolicyDecision, "matchedrule": e.MatchedRule,
		"traceid":   e.TraceID,
		"sessionid": e.SessionID, "targetdid": e.TargetDID, "agentprev": e.AgentPrev, "agentsignature": e.Signature,
		// The SDK would format a time with nine digits; a leaf has the digits that were given.
		"time":     e.Timestamp,
		"sealhash": own, "sealprevious": previous, "sealdataerror": f.DataError,
	} {
		if value != "" {
			c.Extensions[name] = value
		}
	}
	if e.AgentSeq != nil {
		c.Extensions["agentseq"] = integer(*e.AgentSeq)
	}
	c.Extensions["sealindex"] = integer(e.Index)
	if e.Detail != nil {
		var leaf struct {
			Detail json.RawMessage `json:"detail"`
		}
		if err := json.Unmarshal(e.Leaf, &leaf); err != nil {
			return event.Event{}, fmt.Errorf("detail: %w", err)
		}
		c.Extensions["sealdetail"] = string(leaf.Detail)
	}
	ce := event.Event{Context: c}
	if f.Payload != nil && f.Payload.Material != "" {
		c.Extensions["dssematerial"] = f.Payload.Material
	}
	if f.Payload != nil && f.Payload.HasData() {
		ce.DataEncoded, ce.DataBase64 = f.Payload.Data, !f.fits()
	}
	return ce, nil
}

// fits reports whether the member data can hold the data without loss: JSON text if the content
// type is JSON, other text otherwise.
func (f Found) fits() bool {
	if !ruleset.IsJSON(f.Entry.Extensions["datacontenttype"]) {
		return canonical.IsText(f.Payload.Data)
	}
	data := f.Payload.Data
	// a parser drops surrounding white space
	return f.line().HasJSON() && data[0] > ' ' && data[len(data)-1] > ' '
}

// integer returns a number as CloudEvents has it: 32 bits, or a decimal string if it is larger.
func integer(n uint64) any {
	if n > math.MaxInt32 {
		return fmt.Sprint(n)
	}
	return int32(n)
}

// verbatim returns a URL that prints exactly as given. Parsing and printing it would change the
// names of agents.
func verbatim(s string) url.URL { return url.URL{Opaque: s} }

// cloudEventsWriter writes one event a line, as an array or as JSON Lines.
type cloudEventsWriter struct{ array bool }

func (c cloudEventsWriter) start(proof.Manifest) ([]byte, error) {
	if c.array {
		return []byte("["), nil
	}
	return nil, nil
}

func (c cloudEventsWriter) entry(dst []byte, f Found, path proof.Path, first bool) ([]byte, error) {
	if c.array && !first {
		dst = append(dst, ',')
	}
	ce, err := f.CloudEvent()
	if err != nil {
		return dst, err
	}
	if path != nil {
		steps, err := path.MarshalJSON()
		if err != nil {
			return dst, err
		}
		if err := ce.Context.SetExtension("sealproof", string(steps)); err != nil {
			return dst, err
		}
	}
	b, err := ce.MarshalJSON()
	if c.array {
		return append(append(dst, '\n'), b...), err
	}
	return append(append(dst, b...), '\n'), err
}

func (c cloudEventsWriter) end() []byte {
	if c.array {
		return []byte("\n]\n")
	}
	return nil
}
