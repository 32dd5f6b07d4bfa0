package api

import (
	"net/http"
	"strings"
)

// ProblemType is the prefix of the types of problems that a sealstream server reports about events.
// An answer whose type has no such prefix may come from a proxy, a firewall or another program. It
// does not say that the log refused the event.
const ProblemType = "urn:sealstream:problem:"

// ProblemMediaType is the content type of a problem document.
const ProblemMediaType = "application/problem+json"

// Problem is an error in the form of RFC 9457.
type Problem struct {
	// Type identifies the kind of problem, for programs. With "about:blank", Status identifies it.
	Type string `json:"type"`

	// Title is the same for all problems of a type. Detail describes this one.
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	// Field is the attribute of the event, or the parameter of a path of ingest or alerts, at
	// fault.
	Field string `json:"field,omitempty"`

	// Parameter is the parameter of a path of query at fault.
	Parameter string `json:"parameter,omitempty"`

	// EntryID is the id of the event that was refused.
	EntryID string `json:"entry_id,omitempty"`

	// Candidates are the entries with an id that several agents have used.
	Candidates []Candidate `json:"candidates,omitempty"`

	// Index is the first entry that does not verify.
	Index *uint64 `json:"index,omitempty"`

	// RetryAfter is the header of that name, in seconds. 0 means that there is none.
	RetryAfter int `json:"-"`
}

// Candidate is one of several entries with the same id.
type Candidate struct {
	Index    uint64 `json:"index"`
	AgentDID string `json:"agent_did"`
}

// Error returns the detail, or the title if there is none.
func (p Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Complete().Title
}

// Complete returns the problem with the members that every problem document has.
func (p Problem) Complete() Problem {
	if p.Type == "" {
		p.Type = "about:blank"
	}
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	return p
}

// Own reports whether the type starts with ProblemType.
func (p Problem) Own() bool { return strings.HasPrefix(p.Type, ProblemType) }
