package compliance

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Event types of declarations and checks. All that they state is in the leaf, so that a proof shows
// it.
const (
	// DeclarationType declares that the component of the resource /components/NAME is in use.
	DeclarationType = "component_declaration"
	// ApplicabilityType declares that the control of the resource /controls/FRAMEWORK/ID does not
	// apply. The matched_rule is the reason.
	ApplicabilityType = "control_applicability"
	// IntegrityType is the result of a running service's check of its own program, in the outcome.
	IntegrityType = "integrity_check"
)

func componentResource(name string) string { return "/components/" + name }

func controlResource(framework, id string) string { return "/controls/" + framework + "/" + id }

// Declaration is the statement that a component is in use.
type Declaration struct {
	Agent   string // agent that declares
	Name    string // name of the component in the framework
	Version string // version of the component
	Digest  string // digest of what is in use, ALGORITHM:HEX, such as sha256:<hex>
}

// Event returns the event to record. Agent, name, version and digest are required.
func (d Declaration) Event() (entry.Event, error) {
	if d.Agent == "" || d.Name == "" || d.Version == "" || d.Digest == "" || strings.ContainsAny(d.Name, "/* ") {
		return entry.Event{}, errors.New(
			"declaration: agent, name (without /, * and spaces), version and digest are required",
		)
	}
	algorithm, sum, ok := strings.Cut(d.Digest, ":")
	if !ok || algorithm == "" || len(sum) < 32 || strings.Trim(sum, "0123456789abcdef") != "" {
		return entry.Event{}, fmt.Errorf("declaration: digest %.80q is not ALGORITHM:HEX", d.Digest)
	}
	return event(
		d.Agent,
		DeclarationType,
		componentResource(d.Name),
		"",
		map[string]string{"componentversion": d.Version, "componentdigest": d.Digest},
	)
}

// NotApplicable is the statement that a control does not apply, and why. It is recorded like any
// other event. It has no effect if the log has evidence to the contrary.
type NotApplicable struct {
	Agent     string // agent that declares
	Framework string // id of the framework
	Control   string // id of the control
	Reason    string // why the control does not apply
}

// Event returns the event to record. All fields are required.
func (n NotApplicable) Event() (entry.Event, error) {
	if n.Agent == "" || n.Framework == "" || n.Control == "" || strings.TrimSpace(n.Reason) == "" {
		return entry.Event{}, errors.New("applicability: agent, framework, control and reason are required")
	}
	return event(n.Agent, ApplicabilityType, controlResource(n.Framework, n.Control), n.Reason, nil)
}

func event(agent, kind, resource, rule string, ext map[string]string) (entry.Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return entry.Event{}, err
	}
	ev := entry.Event{
		ID:          id.String(),
		Source:      agent,
		Type:        ruleset.CloudEventType(kind),
		Subject:     resource,
		Action:      "audit",
		MatchedRule: rule,
		Extensions:  map[string]string{},
	}
	for name, value := range ext {
		ev.Extensions[name] = value
	}
	return ev, ev.Check()
}
