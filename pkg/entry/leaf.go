package entry

import (
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/redact"
)

// appendLeaf appends the canonical leaf. bare leaves out what the log added, for Fingerprint (SPEC
// 5.8; rules 4: 4.2). index and previous_hash part the members into three runs, because a sealer
// knows all else before it knows the place.
func (e *Entry) appendLeaf(dst []byte, bare bool) []byte {
	o := canonical.BeginObject(dst)
	e.beforeIndex(&o, bare)
	if !bare {
		o.Uint("index", e.Index)
	}
	e.beforePrevious(&o, bare)
	if !bare {
		o.Hex("previous_hash", e.PreviousHash[:])
	}
	e.afterPrevious(&o, bare)
	return o.End()
}

// AppendPlaceless appends the canonical leaf without the values of index and previous_hash. A
// sealer can prepare the rest in advance, and insert these values at the returned offsets index and
// previous.
func (e *Entry) AppendPlaceless(dst []byte) (leaf []byte, index, previous int) {
	o := canonical.BeginObject(dst)
	e.beforeIndex(&o, false)
	o.Name("index")
	index = len(o.Dst)
	e.beforePrevious(&o, false)
	o.Name("previous_hash")
	o.Dst = append(o.Dst, '"')
	previous = len(o.Dst)
	o.Dst = append(o.Dst, '"')
	e.afterPrevious(&o, false)
	return o.End(), index, previous
}

func (e *Entry) beforeIndex(o *canonical.Object, bare bool) {
	o.Optional("action", e.Action)
	if !bare {
		o.Optional("action_digest", e.ActionDigest)
		o.Optional("action_type", e.ActionType)
	}
	o.Optional("agent_did", e.AgentDID)
	if !bare {
		o.Optional("agent_key", e.AgentKey)
	}
	o.Optional("agent_prev", e.AgentPrev)
	if e.AgentSeq != nil {
		o.Uint("agent_seq", *e.AgentSeq)
	}
	if !bare {
		if e.Altered {
			o.Bool("altered", true)
		}
		o.Optional("approval", e.Approval)
		o.Optional("approval_status", e.ApprovalStatus)
		o.Optional("blind", e.Blind)
		o.Optional("caused_by", e.CausedBy)
	}
	o.Optional("cloudevent_type", e.CloudEventType)
	if e.DataHash != nil {
		o.Hex("data_hash", e.DataHash[:])
	}
	if e.Detail != nil && !bare {
		o.Name("detail")
		o.Dst = e.Detail.appendJSON(o.Dst)
	}
	o.Optional("entry_id", e.EntryID)
	o.Optional("event_type", e.EventType)
	if bare {
		o.TextMap("extensions", e.attributesOf())
	} else {
		o.TextMap("extensions", e.Extensions)
	}
}

func (e *Entry) beforePrevious(o *canonical.Object, bare bool) {
	if !bare {
		o.Uint("input_epoch", e.InputEpoch)
		o.Uint("input_seq", e.InputSeq)
		if e.KeyEntry != nil {
			o.Uint("key_entry", *e.KeyEntry)
		}
		o.Optional("log", e.Log)
	}
	o.Optional("matched_rule", e.MatchedRule)
	if !bare {
		o.Optional("material_key", e.MaterialKey)
	}
	o.Optional("outcome", e.Outcome)
	o.Optional("policy_decision", e.PolicyDecision)
	if !bare {
		o.Optional("policy_version", e.PolicyVersion)
		o.Uint("position", e.Position)
	}
}

func (e *Entry) afterPrevious(o *canonical.Object, bare bool) {
	if !bare {
		o.Optional("principal", e.Principal)
		o.Optional("principal_type", e.PrincipalType)
		o.Optional("publisher", e.Publisher)
		o.Optional("received_at", e.ReceivedAt)
		if e.RecordHash != nil {
			o.Hex("record_hash", e.RecordHash[:])
		}
		appendRedactions(o, e.Redactions)
	}
	o.Optional("resource", e.Resource)
	o.Optional("session_id", e.SessionID)
	o.Optional("signature", e.Signature)
	if !bare {
		o.Optional("signature_status", e.SignatureStatus)
	}
	o.Optional("target_did", e.TargetDID)
	if !bare || e.Timestamp != e.ReceivedAt {
		o.Optional("timestamp", e.Timestamp)
	}
	o.Optional("trace_id", e.TraceID)
	if !bare {
		o.Uint("v", e.V)
	}
}

func appendRedactions(o *canonical.Object, list []redact.Finding) {
	if len(list) == 0 {
		return
	}
	o.Name("redactions")
	o.Dst = append(o.Dst, '[')
	for i, r := range list {
		if i > 0 {
			o.Dst = append(o.Dst, ',')
		}
		in := canonical.BeginObject(o.Dst)
		in.Text("kind", r.Kind)
		in.Text("path", r.Path)
		o.Dst = in.End()
	}
	o.Dst = append(o.Dst, ']')
}
