package api

// Counts is the answer to GET /v1/counts: the number of entries that a filter matches, by their
// members. It is computed from the index alone: no entry is read, and nothing is proven.
type Counts struct {
	TreeSize uint64            `json:"tree_size"` // entries that the filter was applied to
	Matches  uint64            `json:"matches"`
	First    *uint64           `json:"first"` // index of the first match; null means that there is none
	Last     *uint64           `json:"last"`
	Types    map[string]uint64 `json:"event_types"`
	Actions  map[string]uint64 `json:"actions"`
	Outcomes map[string]uint64 `json:"outcomes"`
	Agents   uint64            `json:"agents"` // how many different ones

	// Top are the agents with the most matches, those with as many by name.
	Top []AgentCount `json:"top_agents"`
}

// AgentCount is the number of matches of one agent.
type AgentCount struct {
	Agent   string `json:"agent"`
	Matches uint64 `json:"matches"`
}

// Stats is the answer to GET /v1/stats: the content of the log, and the state of the query service.
type Stats struct {
	Log        string   `json:"log"`
	Origin     string   `json:"origin"`
	Keys       []string `json:"keys"` // verifier keys that the log is checked with
	TreeSize   uint64   `json:"tree_size"`
	Root       string   `json:"root"`
	Durability string   `json:"durability,omitempty"`

	EventTypes map[string]uint64 `json:"event_types"`       // the first 256 that occurred
	OtherTypes uint64            `json:"other_event_types"` // entries of further types
	Actions    map[string]uint64 `json:"actions"`
	Outcomes   map[string]uint64 `json:"outcomes"`
	Agents     int               `json:"agents"` // how many, the log itself among them

	FirstReceivedAt string `json:"first_received_at,omitempty"`
	LastReceivedAt  string `json:"last_received_at,omitempty"`

	Index IndexStats `json:"index"`
}

// IndexStats is the state of the query service's index.
type IndexStats struct {
	Ready     bool     `json:"ready"`
	Valid     bool     `json:"valid"`      // nothing was seen that does not verify
	Error     *string  `json:"error"`      // what is wrong; null means nothing
	SealedSeq uint64   `json:"sealed_seq"` // newest SEALED sequence followed
	Lag       uint64   `json:"lag"`        // SEALED messages not followed yet
	Void      []uint64 `json:"void"`       // SEALED sequences of void messages, the first 100

	// Rechecking is how many entries have an index that was read from files and was not compared
	// with the log yet.
	Rechecking uint64 `json:"rechecking,omitempty"`

	// Unreadable is the number of entries whose data could not be read at the last attempt.
	Unreadable int `json:"unreadable,omitempty"`
}
