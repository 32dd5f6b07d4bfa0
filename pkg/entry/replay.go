package entry

import (
	"bytes"
	"maps"
	"slices"
	"strconv"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// replayPrefix goes before the CloudEvents type of a replayed entry. It is reserved for the log
// itself, so that ingest, SDK and sealer refuse a replayed entry as an event under any rules (SPEC
// 11).
const replayPrefix = ruleset.OwnPrefix + "replay."

// Replay returns the entry as a CloudEvent in the JSON format, for other programs to consume (SPEC
// 11). The same entry always gives the same bytes. p is nil if there is no data or it was erased.
// name identifies the replay.
func (e *Entry) Replay(p *Payload, name string) ([]byte, error) {
	original := e.CloudEventType
	if original == "" {
		original = e.EventType
	}
	ev := Event{
		ID: e.EntryID, Source: e.AgentDID, Type: replayPrefix + original, Subject: e.Resource, Time: e.Timestamp,
		Action: e.Action, Outcome: e.Outcome,
		PolicyDecision: e.PolicyDecision, MatchedRule: e.MatchedRule, TraceID: e.TraceID, SessionID: e.SessionID,
		TargetDID: e.TargetDID,
		AgentSeq:  e.AgentSeq, AgentPrev: e.AgentPrev, Signature: e.Signature, Extensions: e.Attributes(),
	}
	if p != nil && p.Material != "" {
		ev.Extensions[attributeMaterial] = p.Material
	}
	maps.Copy(ev.Extensions, map[string]string{ // over what an agent may have called by these names
		"sealreplay": name, "sealindex": strconv.FormatUint(e.Index, 10), "sealhash": e.EntryHash.String(),
		"sealprevious": e.PreviousHash.String(), "sealtime": e.ReceivedAt,
	})
	delete(ev.Extensions, "sealdetail")
	if e.Detail != nil {
		detail, err := detailOf(e.Leaf)
		if err != nil {
			return nil, err
		}
		ev.Extensions["sealdetail"] = string(detail)
	}
	if p != nil && p.HasData() {
		ev.Data, ev.HasData = p.Data, true
		ev.rawJSON = e.EventType != TypeRejected && ruleset.IsJSON(ev.Extensions["datacontenttype"]) &&
			canonical.CheckJSON(p.Data, ruleset.MaxDepth) == nil &&
			len(bytes.TrimSpace(p.Data)) == len(p.Data)
	}
	return ev.appendSorted(), nil
}

// appendSorted is AppendJSON with the attributes in the order of their names, so that an entry is
// replayed in the same bytes each time.
func (e *Event) appendSorted() []byte {
	attributes := maps.Collect(e.Attributes())
	o := canonical.BeginObject(nil)
	o.Text("specversion", "1.0")
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		o.Text(name, attributes[name])
	}
	if e.HasData {
		o.Dst = e.appendData(o)
	}
	return o.End()
}

// detailOf returns the text of a leaf's detail.
func detailOf(leaf []byte) (detail []byte, err error) {
	err = canonical.WalkObject(leaf, func(name string, value []byte) error {
		if name == "detail" {
			detail = value
		}
		return nil
	})
	return detail, err
}
