package query

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// CloudEvent is the entry as the event that it was sealed from, with its seal in the extensions sealindex, sealhash and
// sealprevious. Data is byte for byte what was sealed. The log's own entries get a type that ingest refuses, so that none can be played
// back as an event, and their detail in sealdetail.
func (f Found) CloudEvent() (event.Event, error) {
	e := &f.Entry
	c := &event.EventContextV1{ID: e.EntryID, Type: e.CloudEventType, Source: types.URIRef{URL: verbatim(e.AgentDID)}, Extensions: map[string]any{}}
	if e.IsOwn() {
		c.Type = entry.CloudEventType(e.EventType)
	}
	if e.Resource != "" {
		c.Subject = &e.Resource
	}
	for name, value := range e.Extensions {
		switch name {
		case "datacontenttype":
			c.DataContentType = &value
		case "dataschema":
			c.DataSchema = &types.URI{URL: verbatim(value)}
		default:
			c.Extensions[name] = value
		}
	}
	for name, value := range map[string]string{
		"action": e.Action, "outcome": e.Outcome, "policydecision": e.PolicyDecision, "matchedrule": e.MatchedRule, "traceid": e.TraceID,
		"sessionid": e.SessionID, "targetdid": e.TargetDID, "agentprev": e.AgentPrev, "agentsignature": e.Signature,
		// The SDK's own time has nine digits and no trailing zeros; a leaf's has those that were given.
		"time":     e.Timestamp,
		"sealhash": e.EntryHash, "sealprevious": e.PreviousHash,
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
	if f.Payload != nil {
		ce.DataEncoded, ce.DataBase64 = f.Payload.Data, !f.fits()
	}
	return ce, nil
}

// fits says whether data stands in the member data without loss: JSON text where the content type says JSON, text elsewhere.
func (f Found) fits() bool {
	if !entry.IsJSON(f.Entry.Extensions["datacontenttype"]) {
		return entry.IsText(f.Payload.Data)
	}
	data := f.Payload.Data
	return f.isJSON() && data[0] > ' ' && data[len(data)-1] > ' ' // a parser drops white space around it
}

// integer is a number as CloudEvents has it: 32 bits, and beyond that its decimal form.
func integer(n uint64) any {
	if n > math.MaxInt32 {
		return fmt.Sprint(n)
	}
	return int32(n)
}

// verbatim is a URL that is written as it was given. Parsing and writing it would change what agents call themselves.
func verbatim(s string) url.URL { return url.URL{Opaque: s} }

// cloudEventsWriter writes events, one a line: an array of them, or JSON Lines.
type cloudEventsWriter struct{ array, any bool }

func (c *cloudEventsWriter) begin(proof.Manifest) ([]byte, error) {
	if c.array {
		return []byte("["), nil
	}
	return nil, nil
}

func (c *cloudEventsWriter) entry(dst []byte, f Found, path proof.Path) ([]byte, error) {
	if c.array && c.any {
		dst = append(dst, ',')
	}
	c.any = true
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

func (c *cloudEventsWriter) end() []byte {
	if c.array {
		return []byte("\n]\n")
	}
	return nil
}
