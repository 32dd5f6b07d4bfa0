package api

import "encoding/json"

// Page is the answer to GET /v1/entries: entries in the order of the log.
type Page struct {
	// Entries are the entries. Each has the members of its leaf, entry_hash and its data. With raw=1,
	// it also has the bytes of the leaf, and the data with its salt. With proof=1, it has only these
	// (proof.ParsePageLine).
	Entries []json.RawMessage `json:"entries"`

	// NextCursor is the cursor of the next page. A page that has one is full. null means that this
	// is the last page.
	NextCursor *string `json:"next_cursor"`

	// TreeSize is how many entries the filter was applied to, the log's own entries among them.
	TreeSize uint64 `json:"tree_size"`

	// Rechecking is how many entries have an index that was read from files and was not compared
	// with the log yet: someone may have altered those files.
	Rechecking uint64 `json:"rechecking,omitempty"`

	// Proof proves all entries of the page (proof.ParseBatchProof). It is there with proof=1.
	Proof json.RawMessage `json:"proof,omitempty"`
}

// Alert is an alert as GET /v1/alerts lists it: its place in the stream of alerts, and the
// CloudEvent.
type Alert struct {
	Seq     uint64          `json:"seq"`
	Subject string          `json:"subject"`
	Event   json.RawMessage `json:"event"`
}

// Alerts is the answer to GET /v1/alerts.
type Alerts struct {
	Alerts []Alert `json:"alerts"`

	// Last is the sequence up to which the server has looked. Pass it as after to continue.
	Last uint64 `json:"last"`
}
