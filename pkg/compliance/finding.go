package compliance

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Verdict is the result for a control.
type Verdict string

// The verdicts.
const (
	Pass       Verdict = "pass"        // component declared, all evidence there, no negative evidence
	Partial    Verdict = "partial"     // some evidence is there
	Fail       Verdict = "fail"        // there is negative evidence
	NoEvidence Verdict = "no-evidence" // no evidence, except perhaps a declaration
	// an entry declares that the control does not apply, and there is no evidence to the contrary
	NotApplicableVerdict Verdict = "not-applicable"
)

// Finding is the result of evaluating one control. Cited numbers are indexes of entries, each with
// a proof in the attestation.
type Finding struct {
	ID            string            `json:"id"`                            // id of the control
	Name          string            `json:"name"`                          // name of the control
	Component     string            `json:"component"`                     // component that must be declared
	Verdict       Verdict           `json:"verdict"`                       // result for the control
	Reasons       []string          `json:"reasons"`                       // why the control did not pass
	Declared      *uint64           `json:"declared,omitempty"`            // cited declaration of the component
	NotApplicable *uint64           `json:"said_not_applicable,omitempty"` // cited statement that it does not apply
	Evidence      []EvidenceFinding `json:"evidence"`                      // one per kind of evidence
	Negative      []NegativeFinding `json:"negative"`                      // one per kind of negative evidence
	Remedy        string            `json:"remedy"`                        // what to do if the control did not pass
}

// EvidenceFinding is what was found of one kind of evidence.
type EvidenceFinding struct {
	What    string     `json:"what"`     // description for people
	Filter  api.Filter `json:"filter"`   // what counts as evidence
	AtLeast int        `json:"at_least"` // number of entries required
	Agents  int        `json:"agents"`   // number of different agents required
	Matches uint64     `json:"matches"`  // number of entries, as the service counts them
	Cited   []uint64   `json:"cited"`    // the newest entries, as many as required
}

// NegativeFinding is the negative evidence of one kind that was found.
type NegativeFinding struct {
	What      string      `json:"what"`                 // description for people
	Filter    api.Filter  `json:"filter"`               // what must not be there
	Handled   *api.Filter `json:"handled_by,omitempty"` // later entries that handle it; nil if nothing does
	Same      string      `json:"same,omitempty"`       // what the two must share: trace, session or agent
	Matches   uint64      `json:"matches"`              // number of entries, as the service counts them
	Unhandled uint64      `json:"unhandled"`            // number of those that nothing handles
	Cited     []uint64    `json:"cited"`                // the first of those
}

func newFinding(c Control) Finding {
	f := Finding{
		ID:        c.ID,
		Name:      c.Name,
		Component: c.Component,
		Remedy:    c.Remedy,
		Reasons:   []string{},
		Evidence:  []EvidenceFinding{},
		Negative:  []NegativeFinding{},
	}
	for _, e := range c.Evidence {
		f.Evidence = append(
			f.Evidence,
			EvidenceFinding{What: e.What, Filter: e.Filter, AtLeast: e.AtLeast, Agents: e.Agents, Cited: []uint64{}},
		)
	}
	for _, n := range c.Negative {
		x := NegativeFinding{What: n.What, Filter: n.Filter, Cited: []uint64{}}
		if n.Handling != nil {
			x.Handled, x.Same = &n.Handling.Filter, n.Handling.Same
		}
		f.Negative = append(f.Negative, x)
	}
	return f
}

// asked is the question without the answer.
func (e EvidenceFinding) asked() any {
	e.Matches, e.Cited = 0, nil
	return e
}

func (n NegativeFinding) asked() any {
	n.Matches, n.Unhandled, n.Cited = 0, 0, nil
	return n
}

// judge gives the verdict, as a pure function of what is cited and of what was counted against it.
func (f Finding) judge(cited map[uint64]entry.Entry) (Verdict, []string) {
	reasons, found, lacking, against := []string{}, 0, 0, false
	for _, n := range f.Negative {
		if n.Unhandled > 0 {
			against = true
			reasons = append(reasons, fmt.Sprintf("%d %s", n.Unhandled, n.What))
		}
	}
	for _, e := range f.Evidence {
		found += len(e.Cited)
		agents := map[string]bool{}
		for _, x := range e.Cited {
			agents[cited[x].AgentDID] = true
		}
		if len(e.Cited) < e.AtLeast || len(agents) < e.Agents {
			lacking++
			reasons = append(
				reasons,
				fmt.Sprintf("%s: %d entries of %d, %d agents of %d", e.What, len(e.Cited), e.AtLeast, len(agents), e.Agents),
			)
		}
	}
	switch {
	case f.NotApplicable != nil && found == 0 && !against:
		said := cited[*f.NotApplicable]
		return NotApplicableVerdict, []string{
			fmt.Sprintf("so %s says at index %d: %s", said.AgentDID, said.Index, said.MatchedRule),
		}
	case f.NotApplicable != nil:
		return Fail, append(reasons, "it is said not to apply, but entries show that it does")
	}
	if f.Component != "" && f.Declared == nil {
		reasons = append(reasons, fmt.Sprintf("component %s is not declared", f.Component))
	}
	switch {
	case against:
		return Fail, reasons
	case found == 0:
		return NoEvidence, reasons
	case lacking > 0 || len(reasons) > 0:
		return Partial, reasons
	}
	return Pass, reasons
}

// check holds every cited entry to what it is cited for.
func (f Finding) check(framework string, w Window, size uint64, cited map[uint64]entry.Entry) error {
	until := Window{To: w.To}
	if f.Declared != nil {
		if e, there := cited[*f.Declared]; !there || !until.holds(e) || e.EventType != DeclarationType ||
			e.Resource != componentResource(f.Component) {
			return errors.New("the declaration that is cited is none")
		}
	}
	if f.NotApplicable != nil {
		if e, there := cited[*f.NotApplicable]; !there || !until.holds(e) || e.EventType != ApplicabilityType ||
			e.Resource != controlResource(framework, f.ID) {
			return errors.New("what is cited does not say that it does not apply")
		}
	}
	for _, e := range f.Evidence {
		if shown := uint64(len(e.Cited)); e.Matches > size || shown > e.Matches ||
			shown < min(e.Matches, uint64(max(e.AtLeast, 0))) {
			return fmt.Errorf("%d entries are counted and %d cited", e.Matches, shown)
		}
		if err := checkCited(e.Filter, w, e.Cited, cited); err != nil {
			return err
		}
	}
	for _, n := range f.Negative {
		if err := checkCited(n.Filter, w, n.Cited, cited); err != nil {
			return err
		}
		if n.Matches > size || n.Unhandled > n.Matches || uint64(len(n.Cited)) > n.Unhandled ||
			n.Unhandled > 0 && len(n.Cited) == 0 {
			return errors.New("what speaks against it is not counted and cited alike")
		}
	}
	return nil
}

func checkCited(f api.Filter, w Window, list []uint64, cited map[uint64]entry.Entry) error {
	for i, x := range list {
		e, there := cited[x]
		switch {
		case !there:
			return fmt.Errorf("index %d is cited without a proof", x)
		case !f.Matches(&e):
			return fmt.Errorf("index %d is not what it is cited for", x)
		case !w.holds(e):
			return fmt.Errorf("index %d was not received in the window", x)
		case i > 0 && list[i-1] >= x:
			return errors.New("what is cited does not rise")
		}
	}
	return nil
}

// holds says whether an entry was received in the window. All of these times have nine digits, so
// that they compare as text.
func (w Window) holds(e entry.Entry) bool {
	return (w.From == "" || e.ReceivedAt >= w.From) && (w.To == "" || e.ReceivedAt <= w.To)
}
