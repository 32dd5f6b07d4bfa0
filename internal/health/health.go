// Package health records what is wrong with a process and with what it depends on. A Board of named
// conditions is read by /readyz, /healthz, the metrics and the alerts.
package health

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// State is the severity of a condition. The zero value is OK.
type State int

// The states, from good to bad.
const (
	OK      State = iota
	Warning       // works, but needs attention: /readyz stays 200 and shows it
	Urgent        // works, but will stop soon: like Warning, with another alert
	Failing       // does not work now, but may recover: /readyz is 503
	Dead          // does not work until a restart: /healthz is 503, too
)

var names = [...]string{"ok", "warning", "urgent", "failing", "dead"}

// String returns the name of the state as JSON, logs and metrics show it.
func (s State) String() string { return names[s] }

// Parse returns the state with a name, or OK if there is none.
func Parse(name string) State { return State(max(slices.Index(names[:], name), 0)) }

// MarshalText returns the name of the state.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Condition is the newest finding under one name, such as "disk", "sealer" or "payloads".
type Condition struct {
	Name  string    `json:"name"`
	State State     `json:"state"`
	Text  string    `json:"text,omitempty"` // one sentence for people: what is wrong and what to do
	Since time.Time `json:"since"`          // when State last changed
}

// Board holds conditions by name. The zero value is empty and ready to use. It is safe for
// concurrent use.
type Board struct {
	mu         sync.Mutex
	conditions map[string]Condition
	changed    []func(Condition)
}

// Set replaces the condition of that name. If the state changed, it calls the functions given to
// OnChange. A new condition that is OK is no change.
func (b *Board) Set(name string, s State, text string) {
	b.mu.Lock()
	old, had := b.conditions[name]
	c := Condition{Name: name, State: s, Text: text, Since: old.Since}
	change := old.State != s
	if change || !had {
		c.Since = time.Now()
	}
	if b.conditions == nil {
		b.conditions = map[string]Condition{}
	}
	b.conditions[name] = c
	calls := b.changed
	b.mu.Unlock()
	if change {
		for _, f := range calls {
			f(c)
		}
	}
}

// OnChange makes Set call f, in the goroutine of Set, after each change of a state.
func (b *Board) OnChange(f func(Condition)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed = append(slices.Clone(b.changed), f)
}

// State returns the state of the condition of that name, or OK if there is none.
func (b *Board) State(name string) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conditions[name].State
}

// List returns all conditions, sorted by name.
func (b *Board) List() []Condition {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Condition, 0, len(b.conditions))
	for _, c := range b.conditions {
		list = append(list, c)
	}
	slices.SortFunc(list, func(x, y Condition) int { return strings.Compare(x.Name, y.Name) })
	return list
}

// Worst returns the condition with the worst state, the first by name if there are several. It
// ignores conditions with the given names. The zero Condition means that there is none.
func (b *Board) Worst(without ...string) Condition {
	var worst Condition
	for _, c := range b.List() {
		if !slices.Contains(without, c.Name) && (worst.Name == "" || c.State > worst.State) {
			worst = c
		}
	}
	return worst
}
