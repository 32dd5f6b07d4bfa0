package api

import (
	"slices"

	"github.com/sealstream/sealstream/pkg/proof"
)

// States of a Receipt.
const (
	Stored    = "stored"    // on disk (fsync); it will be sealed
	Sealed    = "sealed"    // an entry of the log, under a signed checkpoint
	Witnessed = "witnessed" // sealed, and Checkpoint has the cosignatures that the log's policy asks for
	Duplicate = "duplicate" // sealed before: Index and EntryHash are those of the original
	Rejected  = "rejected"  // refused: see Error
)

// Receipt is the server's answer for one event. Nothing in it is verified: client.Receipt adds
// that.
type Receipt struct {
	// EntryID and AgentDID are those of the event. They are empty if a rejected event could not be
	// parsed that far.
	EntryID  string `json:"entry_id,omitempty"`
	AgentDID string `json:"agent_did,omitempty"`

	// Status is one of the states above.
	Status string `json:"status"`

	// Index and EntryHash are the entry's. Index 0 is the log's own config, so 0 means none.
	Index     uint64 `json:"index,omitempty"`
	EntryHash string `json:"entry_hash,omitempty"`

	// InputSeq is the EVENTS message that holds the event, and Position its place in it.
	InputSeq uint64 `json:"input_seq,omitempty"`
	Position uint64 `json:"position"`

	// Durability says what stored means on this server, such as fsync.
	Durability string `json:"durability,omitempty"`

	// EquivocationOf is the index of an earlier entry with the same agent and id but other content.
	// The event is then sealed as sealstream.equivocation. 0 means that there is none.
	EquivocationOf uint64 `json:"equivocation_of,omitempty"`

	// Checkpoint is the signed note that covers the entry. It is empty if ProofAt is not nil.
	Checkpoint string `json:"checkpoint,omitempty"`

	// ProofAt is the place in Receipts.Proofs of the proof of the entry, and Leaf is the leaf that it
	// proves. Salt opens the leaf's commitment to the data that was sent. It is empty if there is no
	// data. Nil means that the answer has no proof of the entry.
	ProofAt *int   `json:"proof,omitempty"`
	Leaf    string `json:"leaf,omitempty"`
	Salt    string `json:"salt,omitempty"`

	// Wait is "timeout" if the event was not sealed or cosigned in time, or if the server could not
	// find out. The event is stored, and will still be sealed.
	Wait string `json:"wait,omitempty"`

	// Error says why a rejected event was refused.
	Error *Refusal `json:"error,omitempty"`
}

// Refusal says which attribute of a rejected event is at fault, and why. Field is empty if it is
// the event as a whole.
type Refusal struct {
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

// Error returns the field and the reason.
func (r *Refusal) Error() string {
	if r.Field == "" {
		return r.Reason
	}
	return r.Field + ": " + r.Reason
}

// Receipts is the answer to POST /v1/events: one receipt for each event, in their order.
type Receipts struct {
	Receipts []Receipt `json:"receipts"`

	// Proofs are those that were asked for with proof=1 (SPEC 8.1). Nil means that none were.
	Proofs []proof.BatchProof `json:"proofs,omitzero"`
}

// WithoutProofs returns the same receipts as they are if nothing can be proven.
func (r Receipts) WithoutProofs() Receipts {
	bare := slices.Clone(r.Receipts)
	for i := range bare {
		if at := bare[i].ProofAt; at != nil {
			bare[i].Checkpoint = r.Proofs[*at].Checkpoint
			bare[i].ProofAt, bare[i].Leaf, bare[i].Salt = nil, "", ""
		}
	}
	return Receipts{Receipts: bare, Proofs: []proof.BatchProof{}}
}
