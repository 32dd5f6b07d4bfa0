package entry

import (
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
)

// readCanonical reads a leaf without altered, detail and redactions in one pass. It may leave
// Extensions out if keep is false. If it returns false, readGeneral must read the leaf.
func (e *Entry) readCanonical(leaf string, keep bool) bool {
	r := canonical.NewReader(leaf)
	e.Action = r.Optional("action")
	e.ActionDigest = r.Optional("action_digest")
	e.ActionType = r.Optional("action_type")
	e.AgentDID = r.Optional("agent_did")
	e.AgentKey = r.Optional("agent_key")
	e.AgentPrev = r.Optional("agent_prev")
	if r.Member("agent_seq") {
		n := r.Uint()
		e.AgentSeq = &n
	}
	e.Approval = r.Optional("approval")
	e.ApprovalStatus = r.Optional("approval_status")
	e.Blind = r.Optional("blind")
	e.CausedBy = r.Optional("caused_by")
	e.CloudEventType = r.Optional("cloudevent_type")
	if r.Member("data_hash") {
		h := Hash(r.Hash())
		e.DataHash = &h
	}
	e.EntryID = r.Optional("entry_id")
	e.EventType = r.Optional("event_type")
	if r.Member("extensions") {
		e.Extensions = r.TextMap(ruleset.ValidAttribute, keep || e.Blind != "") // check reads them
	}
	e.Index = r.Required("index")
	e.InputEpoch = r.Required("input_epoch")
	e.InputSeq = r.Required("input_seq")
	if r.Member("key_entry") {
		n := r.Uint()
		e.KeyEntry = &n
	}
	e.Log = r.Optional("log")
	e.MatchedRule = r.Optional("matched_rule")
	e.MaterialKey = r.Optional("material_key")
	e.Outcome = r.Optional("outcome")
	e.PolicyDecision = r.Optional("policy_decision")
	e.PolicyVersion = r.Optional("policy_version")
	e.Position = r.Required("position")
	if !r.Member("previous_hash") {
		return false
	}
	e.PreviousHash = r.Hash()
	e.Principal = r.Optional("principal")
	e.PrincipalType = r.Optional("principal_type")
	e.Publisher = r.Optional("publisher")
	e.ReceivedAt = r.Optional("received_at")
	if r.Member("record_hash") {
		h := Hash(r.Hash())
		e.RecordHash = &h
	}
	e.Resource = r.Optional("resource")
	e.SessionID = r.Optional("session_id")
	e.Signature = r.Optional("signature")
	e.SignatureStatus = r.Optional("signature_status")
	e.TargetDID = r.Optional("target_did")
	e.Timestamp = r.Optional("timestamp")
	e.TraceID = r.Optional("trace_id")
	e.V = r.Required("v")
	return r.End()
}

// ReadCommitments reads Index, DataHash and RecordHash of a leaf, and nothing else: all that
// Payload.Opens needs. The leaf must be one that ParseEntry has accepted. It returns false if it
// notices that it is none.
func (e *Entry) ReadCommitments(leaf []byte) bool {
	*e = Entry{}
	r := canonical.NewReader(leaf)
	for name, more := r.Name(); more; name, more = r.Name() {
		switch string(name) {
		case "data_hash":
			h := Hash(r.Hash())
			e.DataHash = &h
		case "index":
			e.Index = r.Uint()
		case "record_hash":
			h := Hash(r.Hash())
			e.RecordHash = &h
			return r.OK()
		case "resource", "timestamp": // behind all of them
			return r.OK()
		default:
			r.Skip()
		}
	}
	return r.OK()
}
