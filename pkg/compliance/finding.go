package compliance

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Verdict is what can be said of a control.
type Verdict string

// The verdicts.
const (
	Pass                 Verdict = "pass"           // the component is declared, all evidence is there, nothing speaks against it
	Partial              Verdict = "partial"        // some evidence is there
	Fail                 Verdict = "fail"           // something speaks against it
	NoEvidence           Verdict = "no-evidence"    // nothing is there, but perhaps a declaration
	NotApplicableVerdict Verdict = "not-applicable" // so it is said, in the log, and nothing shows the contrary
)

// Finding is what was found of a control. Numbers in Cited are indexes, each with a proof in the attestation.
type Finding struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Component     string            `json:"component"`
	Verdict       Verdict           `json:"verdict"`
	Reasons       []string          `json:"reasons"` // why it is not a pass
	Declared      *uint64           `json:"declared,omitempty"`
	NotApplicable *uint64           `json:"said_not_applicable,omitempty"`
	Evidence      []EvidenceFinding `json:"evidence"`
	Negative      []NegativeFinding `json:"negative"`
	Remedy        string            `json:"remedy"`
}

// EvidenceFinding is what was found of one piece of evidence.
type EvidenceFinding struct {
	What    string   `json:"what"`
	Filter  Filter   `json:"filter"`
	AtLeast int      `json:"at_least"`
	Agents  int      `json:"agents"`
	Matches uint64   `json:"matches"` // as the service counts
	Cited   []uint64 `json:"cited"`
}

// NegativeFinding is what was found that should not be there.
type NegativeFinding struct {
	What      string   `json:"what"`
	Filter    Filter   `json:"filter"`
	Handled   *Filter  `json:"handled_by,omitempty"`
	Same      string   `json:"same,omitempty"`
	Matches   uint64   `json:"matches"`   // as the service counts
	Unhandled uint64   `json:"unhandled"` // of them
	Cited     []uint64 `json:"cited"`     // the first unhandled ones
}

func newFinding(c Control) Finding {
	f := Finding{ID: c.ID, Name: c.Name, Component: c.Component, Remedy: c.Remedy, Reasons: []string{}, Evidence: []EvidenceFinding{}, Negative: []NegativeFinding{}}
	for _, e := range c.Evidence {
		f.Evidence = append(f.Evidence, EvidenceFinding{What: e.What, Filter: e.Filter, AtLeast: e.AtLeast, Agents: e.Agents, Cited: []uint64{}})
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
			reasons = append(reasons, fmt.Sprintf("%s: %d entries of %d, %d agents of %d", e.What, len(e.Cited), e.AtLeast, len(agents), e.Agents))
		}
	}
	switch {
	case f.NotApplicable != nil && found == 0 && !against:
		said := cited[*f.NotApplicable]
		return NotApplicableVerdict, []string{fmt.Sprintf("so %s says at index %d: %s", said.AgentDID, said.Index, said.MatchedRule)}
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
		if e, there := cited[*f.Declared]; !there || !until.holds(e) || e.EventType != DeclarationType || e.Resource != componentResource(f.Component) {
			return errors.New("the declaration that is cited is none")
		}
	}
	if f.NotApplicable != nil {
		if e, there := cited[*f.NotApplicable]; !there || !until.holds(e) || e.EventType != ApplicabilityType || e.Resource != controlResource(framework, f.ID) {
			return errors.New("what is cited does not say that it does not apply")
		}
	}
	for _, e := range f.Evidence {
		if shown := uint64(len(e.Cited)); e.Matches > size || shown > e.Matches || shown < min(e.Matches, uint64(max(e.AtLeast, 0))) {
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
		if n.Matches > size || n.Unhandled > n.Matches || uint64(len(n.Cited)) > n.Unhandled || n.Unhandled > 0 && len(n.Cited) == 0 {
			return errors.New("what speaks against it is not counted and cited alike")
		}
	}
	return nil
}

func checkCited(f Filter, w Window, list []uint64, cited map[uint64]entry.Entry) error {
	for i, x := range list {
		e, there := cited[x]
		switch {
		case !there:
			return fmt.Errorf("index %d is cited without a proof", x)
		case !f.Matches(e):
			return fmt.Errorf("index %d is not what it is cited for", x)
		case !w.holds(e):
			return fmt.Errorf("index %d was not received in the window", x)
		case i > 0 && list[i-1] >= x:
			return errors.New("what is cited does not rise")
		}
	}
	return nil
}

// holds says whether an entry was received in the window. All of these times have nine digits, so that they compare as text.
func (w Window) holds(e entry.Entry) bool {
	return (w.From == "" || e.ReceivedAt >= w.From) && (w.To == "" || e.ReceivedAt <= w.To)
}
