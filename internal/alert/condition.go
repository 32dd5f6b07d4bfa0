package alert

import (
	"context"
	"fmt"

	"github.com/sealstream/sealstream/internal/health"
)

// checkConditions publishes an alert for each condition that is worse than published, and records
// those that have improved.
func (f *follower) checkConditions(ctx context.Context) error {
	if f.a.cfg.Health == nil {
		return nil
	}
	var list []Alert
	for _, c := range f.a.cfg.Health.List() {
		told := f.out.ops.Conditions[c.Name]
		switch state := int(c.State); {
		case state < told:
			f.out.ops.improved(c.Name, state)
			f.dirty = true
		case state > told:
			a := f.logAlert(KindState, TypeState, fmt.Sprintf("%s %s %d", c.Name, c.State, c.Since.UnixNano()), f.next)
			a.Condition, a.State, a.Text = c.Name, c.State.String(), fmt.Sprintf("%s is %s: %s", c.Name, c.State, c.Text)
			list = append(list, a)
		}
	}
	return f.publish(ctx, list)
}

// recordState records the published state of a condition.
func (o *opsState) recordState(a *Alert) {
	if o.Conditions == nil {
		o.Conditions = map[string]int{}
	}
	o.Conditions[a.Condition] = int(health.Parse(a.State))
}

// improved records that a condition is better than published.
func (o *opsState) improved(name string, state int) {
	if o.Conditions[name] = state; state == int(health.OK) {
		delete(o.Conditions, name)
	}
}
