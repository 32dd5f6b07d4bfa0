package access

import (
	"fmt"
	"strings"
)

// Decision is the answer to: may this identity use a scope, for an agent?
type Decision struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"` // one sentence
}

// Decide explains what an identity may do. agent matters for Publish and Read alone. Without it,
// the question is whether there is any agent.
func (v *Version) Decide(id string, s Scope, agent string) Decision {
	d := v.Identity(id)
	if d == nil {
		return Decision{false, fmt.Sprintf("there is no identity %q", id)}
	}
	g := &d.Grants
	switch {
	case !g.has(s) && s == Proof:
		return Decision{false, fmt.Sprintf("%s has neither the scope proof nor read: all", id)}
	case !g.has(s):
		return Decision{false, fmt.Sprintf("%s does not have the scope %s", id, s)}
	case s == Read && g.ReadAll:
		return Decision{true, fmt.Sprintf("%s has read: all", id)}
	case s == Proof && !g.Proof:
		return Decision{true, fmt.Sprintf("%s has read: all, which includes proofs", id)}
	case s == Read:
		return g.Read.decide(id, s, agent)
	case s == Publish:
		return g.Publish.decide(id, s, agent)
	}
	return Decision{true, fmt.Sprintf("%s has the scope %s", id, s)}
}

func (a Agents) decide(id string, s Scope, agent string) Decision {
	if agent == "" {
		return Decision{true, fmt.Sprintf("%s has the scope %s for %s", id, s, strings.Join(a, ", "))}
	}
	for i := range a {
		if a[i : i+1].Match(agent) {
			return Decision{true, fmt.Sprintf("%s has the scope %s for %q, which matches %s", id, s, a[i], agent)}
		}
	}
	return Decision{false, fmt.Sprintf("%s has the scope %s, but no pattern of its list matches %s", id, s, agent)}
}
