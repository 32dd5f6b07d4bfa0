package entry

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
)

// ReplayPrefix begins the CloudEvents type of a replayed entry, before the type of the event that it was sealed from. It lies in the name space
// of the log itself, so that ingest, SDK and sealer refuse a replayed entry as an event, whichever way it comes, under any rules (SPEC 11).
const ReplayPrefix = OwnPrefix + "replay."

// Replay writes an entry as the CloudEvent that tells of it again (SPEC 11), in the JSON format, with members in one order. p is nil where there is no data, or it was erased;
// name tells one replay from another.
func Replay(e Entry, p *Payload, name string) ([]byte, error) {
	original := e.CloudEventType
	if original == "" {
		original = e.EventType
	}
	ev := Event{
		ID: e.EntryID, Source: e.AgentDID, Type: ReplayPrefix + original, Subject: e.Resource, Time: e.Timestamp, Action: e.Action, Outcome: e.Outcome,
		PolicyDecision: e.PolicyDecision, MatchedRule: e.MatchedRule, TraceID: e.TraceID, SessionID: e.SessionID, TargetDID: e.TargetDID,
		AgentSeq: e.AgentSeq, AgentPrev: e.AgentPrev, Signature: e.Signature, Extensions: maps.Clone(e.Extensions),
	}
	if ev.Extensions == nil {
		ev.Extensions = map[string]string{}
	}
	maps.Copy(ev.Extensions, map[string]string{ // over what an agent may have called by these names
		"sealreplay": name, "sealindex": strconv.FormatUint(e.Index, 10), "sealhash": e.EntryHash, "sealprevious": e.PreviousHash, "sealtime": e.ReceivedAt,
	})
	delete(ev.Extensions, "sealdetail")
	if e.Detail != nil {
		detail, err := detailOf(e.Leaf)
		if err != nil {
			return nil, err
		}
		ev.Extensions["sealdetail"] = string(detail)
	}
	if p != nil {
		ev.Data, ev.HasData = p.Data, true
		ev.rawJSON = e.EventType != TypeRejected && isJSON(ev.Extensions["datacontenttype"]) && CheckJSON(p.Data, MaxDepth) == nil &&
			len(bytes.TrimSpace(p.Data)) == len(p.Data)
	}
	return ev.appendSorted(), nil
}

// appendSorted is AppendJSON with the attributes in the order of their names, so that an entry is replayed in the same bytes each time.
func (e *Event) appendSorted() []byte {
	attributes := maps.Collect(e.Attributes())
	o := beginObject(nil)
	o.text("specversion", "1.0")
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		o.text(name, attributes[name])
	}
	if e.HasData {
		o.dst = e.appendData(o)
	}
	return o.end()
}

// detailOf is the text of a leaf's detail.
func detailOf(leaf []byte) (detail []byte, err error) {
	err = walkObject(leaf, func(name string, value []byte) error {
		if name == "detail" {
			detail = value
		}
		return nil
	})
	return detail, err
}
