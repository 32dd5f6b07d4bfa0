package compliance

import (
	"context"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// ReportSchema names the form of a report, which schema/report.schema.json describes.
const ReportSchema = "sealstream-report/v1"

// Report summarises what a log holds of a period.
type Report struct {
	Schema      string      `json:"schema"`                 // ReportSchema
	Generated   string      `json:"report_generated"`       // when it was made, by its maker's clock (RFC 3339)
	PeriodStart string      `json:"period_start"`           // empty means from the beginning
	PeriodEnd   string      `json:"period_end"`             // end of the period, included
	Trail       Trail       `json:"audit_trail"`            // the entries
	Input       Input       `json:"input"`                  // input that did not become an entry
	Violations  Violations  `json:"violations"`             // violations by agents
	OWASP       Result      `json:"owasp_asi_2026"`         // summary of the attestation
	Supply      Supply      `json:"supply_chain_integrity"` // checks of the services' own programs
	Attestation Attestation `json:"attestation"`            // the attestation
}

// Trail counts the entries of the period and identifies the log.
type Trail struct {
	TotalEntries uint64            `json:"total_entries"`         // entries received in the period, the log's own included
	ByType       map[string]uint64 `json:"events_by_type"`        // number of entries by event type
	ByOutcome    map[string]uint64 `json:"events_by_outcome"`     // number of entries by outcome
	ByAction     map[string]uint64 `json:"events_by_action"`      // number of entries by action
	Agents       uint64            `json:"agents"`                // number of different agents
	TopAgents    []api.AgentCount  `json:"top_agents"`            // agents with the most entries
	Valid        bool              `json:"chain_integrity_valid"` // whether the whole log verified at the query service
	Error        *string           `json:"chain_integrity_error"` // what failed to verify there
	MerkleRoot   string            `json:"merkle_root"`           // root of the checkpoint's tree, in hex
	TreeSize     uint64            `json:"tree_size"`             // size of that tree, which is the whole log's
	Origin       string            `json:"origin"`                // origin of the log
	Checkpoint   string            `json:"checkpoint"`            // the signed note
}

// Input counts input that was not sealed as an ordinary event, and erasures.
type Input struct {
	Rejected      uint64 `json:"rejected"`      // entries of rejected messages
	Duplicates    uint64 `json:"duplicates"`    // entries of repeated events
	Equivocations uint64 `json:"equivocations"` // entries of events that repeat an id with other content
	Gaps          uint64 `json:"gaps"`          // entries of lost messages
	Erasures      uint64 `json:"erasures"`      // entries of erased data
	VoidMessages  int    `json:"void_messages"` // void messages on SEALED in the whole log, at most 100
}

// Violations counts the violations by agents, and how many of them were handled.
type Violations struct {
	Total     uint64      `json:"total"`           // number of violations
	Handled   uint64      `json:"handled"`         // those after which an entry of the same session denies, blocks, quarantines or decides
	Unhandled uint64      `json:"unhandled"`       // those that nothing handles
	First     []Violation `json:"first_unhandled"` // the first of those
}

// Violation is a violation that nothing handles.
type Violation struct {
	Index    uint64 `json:"index"`
	Received string `json:"received_at"`
	Type     string `json:"event_type"`
	Agent    string `json:"agent_did"`
	Resource string `json:"resource,omitempty"`
	Rule     string `json:"matched_rule,omitempty"`
	Session  string `json:"session_id,omitempty"`
}

// Result is the summary of the attestation.
type Result struct {
	Passed      bool   `json:"passed"`           // whether the log verified and all controls that apply passed
	Controls    int    `json:"controls_passed"`  // number of controls that passed
	Total       int    `json:"controls_total"`   // number of controls that apply
	CoveragePct int    `json:"coverage_pct"`     // the one of the other, in %, rounded down
	Hash        string `json:"attestation_hash"` // hash of the attestation
	Framework   string `json:"framework"`        // id of the framework
}

// Supply counts the integrity checks in the log: running services check their own programs, and the
// log seals the results.
type Supply struct {
	Passed bool   `json:"passed"` // whether there was a check in the period and none failed
	Checks uint64 `json:"checks"` // number of checks
	Failed uint64 `json:"failed"` // number of failed checks
}

var violation = api.Filter{Type: []string{"policy_violation", "rogue_detection"}}

var handling = api.Filter{Type: []string{"tool_blocked", "policy_violation_handled", "approval_decided", "quarantine"}}

// maxListed is the most violations that a report lists.
const maxListed = 50

// Report makes a report on the verifier's window. It reads the first 10,000
// violations, and counts further ones as unhandled. Its other figures are counts of the source.
func (v Verifier) Report(ctx context.Context, now time.Time) (Report, error) {
	v.Source = remember(v.Source)
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
	c, err := v.Source.Counts(ctx, api.Filter{}, v.Window, cp.Size, 20)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Schema: ReportSchema, Generated: now.UTC().Format(time.RFC3339), PeriodStart: v.Window.From, PeriodEnd: v.Window.To,
		Trail: Trail{
			TotalEntries: c.Matches,
			ByType:       c.Types,
			ByOutcome:    c.Outcomes,
			ByAction:     c.Actions,
			Agents:       c.Agents,
			TopAgents:    c.Top,
			Valid:        health.Index.Valid,
			Error:        health.Index.Error,
			MerkleRoot:   cp.Root.String(),
			TreeSize:     cp.Size,
			Origin:       cp.Origin,
			Checkpoint:   string(note),
		},
		Input: Input{
			Rejected:      c.Types[entry.TypeRejected],
			Duplicates:    c.Types[entry.TypeDuplicate],
			Equivocations: c.Types[entry.TypeEquivocation],
			Gaps:          c.Types[entry.TypeGap],
			Erasures:      c.Types[entry.TypeErasure],
			VoidMessages:  len(health.Index.Void),
		},
		OWASP:       Result{a.Passed, a.ControlsPassed, a.ControlsTotal, a.CoveragePct, a.Hash, a.Framework},
		Attestation: a,
	}
	if r.Violations, err = v.violations(ctx, cp); err != nil {
		return Report{}, err
	}
	checks, err := v.Source.Counts(ctx, api.Filter{Type: []string{IntegrityType}}, v.Window, cp.Size, 0)
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
		x.First = append(
			x.First,
			Violation{e.Index, e.ReceivedAt, e.EventType, e.AgentDID, e.Resource, e.MatchedRule, e.SessionID},
		)
	}
	return x, nil
}
