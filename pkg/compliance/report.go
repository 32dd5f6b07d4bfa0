package compliance

import (
	"context"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// ReportSchema is the form of a report; schema/report.schema.json describes it.
const ReportSchema = "sealstream-report/v1"

// Report is what a log holds of a period.
type Report struct {
	Schema      string      `json:"schema"`
	Generated   string      `json:"report_generated"` // RFC 3339: the clock of whoever made it
	PeriodStart string      `json:"period_start"`     // "": from the beginning
	PeriodEnd   string      `json:"period_end"`
	Trail       Trail       `json:"audit_trail"`
	Input       Input       `json:"input"`
	Violations  Violations  `json:"violations"`
	OWASP       Result      `json:"owasp_asi_2026"`
	Supply      Supply      `json:"supply_chain_integrity"`
	Attestation Attestation `json:"attestation"`
}

// Trail is the population of the period, and the log that it is of.
type Trail struct {
	TotalEntries uint64            `json:"total_entries"` // received in the period, the log's own among them
	ByType       map[string]uint64 `json:"events_by_type"`
	ByOutcome    map[string]uint64 `json:"events_by_outcome"`
	ByAction     map[string]uint64 `json:"events_by_action"`
	Agents       uint64            `json:"agents"`
	TopAgents    []AgentCount      `json:"top_agents"`
	Valid        bool              `json:"chain_integrity_valid"` // the service, which reads the whole log, has seen nothing that does not verify
	Error        *string           `json:"chain_integrity_error"`
	MerkleRoot   string            `json:"merkle_root"`
	TreeSize     uint64            `json:"tree_size"` // of the whole log
	Origin       string            `json:"origin"`
	Checkpoint   string            `json:"checkpoint"`
}

// Input is what became of input that did not become an entry of its own.
type Input struct {
	Rejected      uint64 `json:"rejected"`
	Duplicates    uint64 `json:"duplicates"`
	Equivocations uint64 `json:"equivocations"`
	Gaps          uint64 `json:"gaps"`
	Erasures      uint64 `json:"erasures"`
	VoidMessages  int    `json:"void_messages"` // on SEALED, in the whole log; the first 100
}

// Violations is what agents did that they should not have, and what became of it.
type Violations struct {
	Total     uint64      `json:"total"`
	Handled   uint64      `json:"handled"` // a later entry of the same session denies, blocks, quarantines or decides
	Unhandled uint64      `json:"unhandled"`
	First     []Violation `json:"first_unhandled"`
}

// Violation is one that nothing handles.
type Violation struct {
	Index    uint64 `json:"index"`
	Received string `json:"received_at"`
	Type     string `json:"event_type"`
	Agent    string `json:"agent_did"`
	Resource string `json:"resource,omitempty"`
	Rule     string `json:"matched_rule,omitempty"`
	Session  string `json:"session_id,omitempty"`
}

// Result is the attestation in short.
type Result struct {
	Passed      bool   `json:"passed"`
	Controls    int    `json:"controls_passed"`
	Total       int    `json:"controls_total"`
	CoveragePct int    `json:"coverage_pct"`
	Hash        string `json:"attestation_hash"`
	Framework   string `json:"framework"`
}

// Supply is what the running services found of their own programs, as they sealed it.
type Supply struct {
	Passed bool   `json:"passed"` // there was a check in the period, and none that failed
	Checks uint64 `json:"checks"`
	Failed uint64 `json:"failed"`
}

var violation = Filter{Type: []string{"policy_violation", "rogue_detection"}}

var handling = Filter{Type: []string{"tool_blocked", "policy_violation_handled", "approval_decided", "quarantine"}}

// maxListed bounds the violations that a report lists.
const maxListed = 50

// Report makes a report of the verifier's window. It is made of counts, but for violations, of which the first 10,000 are looked at.
func (v Verifier) Report(ctx context.Context, now time.Time) (Report, error) {
	note, err := v.Source.Checkpoint(ctx)
	if err != nil {
		return Report{}, err
	}
	a, err := v.VerifyAt(ctx, note)
	if err != nil {
		return Report{}, err
	}
	cp, err := proof.OpenCheckpoint(note, v.Keys...)
	if err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	health, err := v.Source.Health(ctx)
	if err != nil {
		return Report{}, err
	}
	c, err := v.Source.Counts(ctx, Filter{}, v.Window, cp.Size, 20)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Schema: ReportSchema, Generated: now.UTC().Format(time.RFC3339), PeriodStart: v.Window.From, PeriodEnd: v.Window.To,
		Trail: Trail{TotalEntries: c.Matches, ByType: c.Types, ByOutcome: c.Outcomes, ByAction: c.Actions, Agents: c.Agents, TopAgents: c.Top,
			Valid: health.Index.Valid, Error: health.Index.Error, MerkleRoot: entry.FormatHash(cp.Root), TreeSize: cp.Size, Origin: cp.Origin, Checkpoint: string(note)},
		Input: Input{Rejected: c.Types[entry.TypeRejected], Duplicates: c.Types[entry.TypeDuplicate], Equivocations: c.Types[entry.TypeEquivocation],
			Gaps: c.Types[entry.TypeGap], Erasures: c.Types[entry.TypeErasure], VoidMessages: len(health.Index.Void)},
		OWASP:       Result{a.Passed, a.ControlsPassed, a.ControlsTotal, a.CoveragePct, a.Hash, a.Framework},
		Attestation: a,
	}
	if r.Violations, err = v.violations(ctx, cp); err != nil {
		return Report{}, err
	}
	checks, err := v.Source.Counts(ctx, Filter{Type: []string{IntegrityType}}, v.Window, cp.Size, 0)
	if err != nil {
		return Report{}, err
	}
	r.Supply = Supply{Checks: checks.Matches, Failed: checks.Matches - checks.Outcomes["success"]}
	r.Supply.Passed = r.Supply.Checks > 0 && r.Supply.Failed == 0
	return r, nil
}

func (v Verifier) violations(ctx context.Context, cp proof.Checkpoint) (x Violations, err error) {
	x.First = []Violation{}
	c, err := v.Source.Counts(ctx, violation, v.Window, cp.Size, 0)
	if err != nil {
		return x, err
	}
	s := search{Verifier: v, cp: cp}
	list, looked, err := unhandled(ctx, s.find, violation, &handling, "session", v.Window, c.Matches)
	if err != nil {
		return x, err
	}
	x.Total = c.Matches
	x.Unhandled = uint64(len(list)) + x.Total - looked
	x.Handled = x.Total - x.Unhandled
	for _, e := range list[:min(len(list), maxListed)] {
		x.First = append(x.First, Violation{e.Index, e.ReceivedAt, e.EventType, e.AgentDID, e.Resource, e.MatchedRule, e.SessionID})
	}
	return x, nil
}
