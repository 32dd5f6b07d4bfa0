package ruleset

import (
	"maps"
	"slices"
	"strings"
)

// OwnPrefix begins the event types of the log itself. From anyone else they are refused (SPEC 3.3).
const OwnPrefix = "sealstream."

// The types of the entries that services write (docs/SPEC-rules4.md, 5).
const (
	TypeAccess = OwnPrefix + "access"
	TypeRead   = OwnPrefix + "read"
)

const meshPrefix = "ai.agentmesh."

// toEventType is the table of SPEC 3.3; the types of the agent-governance-toolkit keep their names.
var toEventType = map[string]string{
	"ai.agentmesh.tool.invoked":             "tool_invocation",
	"ai.agentmesh.tool.blocked":             "tool_blocked",
	"ai.agentmesh.policy.evaluation":        "policy_evaluation",
	"ai.agentmesh.policy.violation":         "policy_violation",
	"ai.agentmesh.trust.handshake":          "trust_handshake",
	"ai.agentmesh.trust.score.updated":      "trust_score_updated",
	"ai.agentmesh.agent.registered":         "agent_registered",
	"ai.agentmesh.agent.verified":           "agent_verified",
	"ai.agentmesh.audit.integrity.verified": "audit_integrity",
}

var toCloudEventType = func() map[string]string {
	m := make(map[string]string, len(toEventType))
	for ce, et := range toEventType {
		m[et] = ce
	}
	return m
}()

// EventType maps a CloudEvents type to an event type (SPEC 3.3).
func EventType(ceType string) string {
	if t, ok := toEventType[ceType]; ok {
		return t
	}
	if rest, ok := strings.CutPrefix(ceType, meshPrefix); ok && rest != "" {
		return rest
	}
	return ceType
}

// EventTypes returns the event types that SPEC 3.3 names, in alphabetical order.
func EventTypes() []string { return slices.Sorted(maps.Keys(toCloudEventType)) }

// CloudEventType maps an event type to the CloudEvents type that stands for it where none was
// given.
func CloudEventType(eventType string) string {
	if t, ok := toCloudEventType[eventType]; ok {
		return t
	}
	return meshPrefix + eventType
}

// IsOwnType says whether only the log itself may use this event type.
func IsOwnType(eventType string) bool {
	return eventType == strings.TrimSuffix(OwnPrefix, ".") || strings.HasPrefix(eventType, OwnPrefix)
}

// The values that action and outcome may have (SPEC 2).
var (
	Actions  = []string{"allow", "deny", "audit", "quarantine", "warning"}
	Outcomes = []string{"success", "failure", "denied", "error"}
)
