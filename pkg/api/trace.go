package api

// TraceSummary is the part of the answer to GET /v1/traces/{id} and /v1/sessions/{id} that follows
// the entries: what agents did under one id, and who acted on whose behalf. An answer has at most
// 1000 entries. If there are more, Truncated is true, and everything but Count describes only the
// first ones.
type TraceSummary struct {
	TraceID   string `json:"trace_id,omitempty"`   // the requested trace id, if one was requested
	SessionID string `json:"session_id,omitempty"` // the requested session id, if one was requested

	Count     uint64 `json:"count"` // number of entries with the id
	Truncated bool   `json:"truncated"`
	// NextCursor continues after the last entry, in /v1/entries with trace or session and
	// order=asc. It is null if nothing is truncated.
	NextCursor *string `json:"next_cursor"`
	TreeSize   uint64  `json:"tree_size"`

	Tree     []Branch    `json:"tree"`
	Counts   TraceCounts `json:"counts"`
	Received TimeRange   `json:"received"` // times at which the log received the entries
	Claimed  TimeRange   `json:"claimed"`  // times at which they happened, as claimed by the agents
}

// Branch is what one agent did in a trace on behalf of another. An entry belongs below the newest
// earlier delegation to its agent under the same trace_id, or at the root if there is none. A
// delegation is an agent_invocation with a target_did that was not denied. The log knows no more
// about who calls whom: an agent that two others call at the same time may be placed below the
// wrong one.
type Branch struct {
	AgentDID   string  `json:"agent_did"`
	TraceID    string  `json:"trace_id,omitempty"`
	Delegation *uint64 `json:"delegation"` // index of the delegation above; null at the root
	// Parent is the position in Tree of the branch that holds the delegation. It is less than the
	// branch's own position, and null at the root.
	Parent  *int     `json:"parent"`
	Depth   int      `json:"depth"`   // number of delegations above
	Entries []uint64 `json:"entries"` // indexes, ascending; empty if the agent left no entry
}

// TraceCounts counts the entries by value. Entries without a value are not counted.
type TraceCounts struct {
	Agents   map[string]int `json:"agents"`
	Types    map[string]int `json:"types"`
	Actions  map[string]int `json:"actions"`
	Outcomes map[string]int `json:"outcomes"`
}

// TimeRange is the earliest and the latest of some times, and the seconds between them.
type TimeRange struct {
	First   string  `json:"first"`
	Last    string  `json:"last"`
	Seconds float64 `json:"seconds"`
}
