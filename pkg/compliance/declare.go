package compliance

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
)

// The event types of what is declared. The resource says of what; everything else stands in the leaf too, so that a proof shows it.
const (
	DeclarationType   = "component_declaration" // of /components/NAME
	ApplicabilityType = "control_applicability" // of /controls/FRAMEWORK/ID: it does not apply, and matched_rule is the reason
	IntegrityType     = "integrity_check"       // what a running service found out about its own program; outcome says what
)

func componentResource(name string) string { return "/components/" + name }

func controlResource(framework, id string) string { return "/controls/" + framework + "/" + id }

// Declaration says that a component is in use.
type Declaration struct {
	Agent   string // who says so
	Name    string // as the framework names it
	Version string
	Digest  string // of what is in use, such as sha256:<hex>
}

// Event is the event to record.
func (d Declaration) Event() (entry.Event, error) {
	if d.Agent == "" || d.Name == "" || d.Version == "" || d.Digest == "" || strings.ContainsAny(d.Name, "/* ") {
		return entry.Event{}, errors.New("declaration: agent, name (without /, * and spaces), version and digest are required")
	}
	algorithm, sum, ok := strings.Cut(d.Digest, ":")
	if !ok || algorithm == "" || len(sum) < 32 || strings.Trim(sum, "0123456789abcdef") != "" {
		return entry.Event{}, fmt.Errorf("declaration: digest %.80q is not ALGORITHM:HEX", d.Digest)
	}
	return event(d.Agent, DeclarationType, componentResource(d.Name), "", map[string]string{"componentversion": d.Version, "componentdigest": d.Digest})
}

// NotApplicable says that a control does not apply here, and why. It is sealed like everything else, and evidence to the contrary defeats it.
type NotApplicable struct{ Agent, Framework, Control, Reason string }

// Event is the event to record.
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
	ev := entry.Event{ID: id.String(), Source: agent, Type: entry.CloudEventType(kind), Subject: resource, Action: "audit", MatchedRule: rule, Extensions: map[string]string{}}
	for name, value := range ext {
		ev.Extensions[name] = value
	}
	return ev, ev.Check()
}
