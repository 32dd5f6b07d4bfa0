package compliance

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Framework is a list of controls, as data.
type Framework struct {
	ID       string    `yaml:"id"`
	Title    string    `yaml:"title"`
	Version  string    `yaml:"version"`
	Source   string    `yaml:"source"` // where the names of the controls are from
	Badge    string    `yaml:"badge"`
	Controls []Control `yaml:"controls"`
}

// Control says what shows that something is done.
type Control struct {
	ID        string     `yaml:"id"`
	Name      string     `yaml:"name"`
	Component string     `yaml:"component"` // that must be declared
	Evidence  []Evidence `yaml:"evidence"`
	Negative  []Negative `yaml:"negative"`
	Remedy    string     `yaml:"remedy"`
}

// Evidence is entries that must be there.
type Evidence struct {
	What    string `yaml:"what"`
	Filter  Filter `yaml:"filter"`
	AtLeast int    `yaml:"at_least"` // in the window; each of them is cited. 0: 1
	Agents  int    `yaml:"agents"`   // from so many different ones. 0: 1
}

// Negative is entries that must not be there, or, with Handling, not without a later entry that handles them.
type Negative struct {
	What     string    `yaml:"what"`
	Filter   Filter    `yaml:"filter"`
	Handling *Handling `yaml:"handling"`
}

// Handling is what must come after an entry to handle it.
type Handling struct {
	Filter Filter `yaml:"filter"`
	Same   string `yaml:"same"` // the field that the two share: trace, session or agent
}

// Filter picks entries as GET /v1/entries does. Every field that is filled must have one of its values.
type Filter struct {
	Agent    []string `yaml:"agent" json:"agent,omitempty"`
	Type     []string `yaml:"type" json:"type,omitempty"`
	Action   []string `yaml:"action" json:"action,omitempty"`
	Outcome  []string `yaml:"outcome" json:"outcome,omitempty"`
	Resource []string `yaml:"resource" json:"resource,omitempty"` // one that ends in * is a prefix
	Rule     []string `yaml:"rule" json:"rule,omitempty"`
	Trace    []string `yaml:"-" json:"trace,omitempty"`
	Session  []string `yaml:"-" json:"session,omitempty"`
}

// Matches says whether an entry is one that the filter picks.
func (f Filter) Matches(e entry.Entry) bool {
	for _, c := range []struct {
		any []string
		has string
	}{{f.Agent, e.AgentDID}, {f.Type, e.EventType}, {f.Action, e.Action}, {f.Outcome, e.Outcome}, {f.Rule, e.MatchedRule}, {f.Trace, e.TraceID}, {f.Session, e.SessionID}} {
		if len(c.any) > 0 && !slices.Contains(c.any, c.has) {
			return false
		}
	}
	return len(f.Resource) == 0 || slices.ContainsFunc(f.Resource, func(v string) bool {
		prefix, star := strings.CutSuffix(v, "*")
		return v == e.Resource || star && e.Resource != "" && strings.HasPrefix(e.Resource, prefix)
	})
}

func (f Filter) empty() bool {
	return len(f.Agent)+len(f.Type)+len(f.Action)+len(f.Outcome)+len(f.Resource)+len(f.Rule) == 0
}

// maxCited bounds what one piece of evidence can ask for: each entry is cited with its proof.
const maxCited = 64

// ErrFramework is wrapped by every error of a framework's file.
var ErrFramework = errors.New("framework")

// ParseFramework reads a framework. What it does not know in it is an error: a misspelt condition must not be one that is always met.
func ParseFramework(text []byte) (Framework, error) {
	var f Framework
	if len(text) > 1<<20 {
		return f, fmt.Errorf("%w: %d bytes, more than 1 MiB", ErrFramework, len(text))
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("%w: %w", ErrFramework, err)
	}
	if err := d.Decode(new(Framework)); !errors.Is(err, io.EOF) {
		return f, fmt.Errorf("%w: more than one document", ErrFramework)
	}
	return f, f.check()
}

func (f *Framework) check() error {
	if f.ID == "" || f.Title == "" || f.Version == "" || strings.Trim(f.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("%w: id (a-z, 0-9, -), title and version are required", ErrFramework)
	}
	if f.Badge == "" {
		f.Badge = f.Title
	}
	seen := map[string]bool{}
	for i := range f.Controls {
		c := &f.Controls[i]
		if err := c.check(); err != nil {
			return fmt.Errorf("%w: control %d (%s): %w", ErrFramework, i+1, c.ID, err)
		}
		if seen[c.ID] {
			return fmt.Errorf("%w: control %s is there twice", ErrFramework, c.ID)
		}
		seen[c.ID] = true
	}
	return nil
}

func (c *Control) check() error {
	if c.ID == "" || c.Name == "" || c.Remedy == "" {
		return errors.New("id, name and remedy are required")
	}
	if len(c.Evidence) == 0 {
		return errors.New("no evidence is asked for, so that a declaration alone would pass it")
	}
	for i := range c.Evidence {
		e := &c.Evidence[i]
		e.AtLeast, e.Agents = max(e.AtLeast, 1), max(e.Agents, 1)
		e.AtLeast = max(e.AtLeast, e.Agents)
		if e.What == "" || e.Filter.empty() || e.AtLeast > maxCited {
			return fmt.Errorf("evidence %d: what and a filter are required, and at most %d entries", i+1, maxCited)
		}
		if slices.Contains(e.Filter.Type, DeclarationType) {
			return fmt.Errorf("evidence %d: a declaration is no evidence", i+1)
		}
	}
	for i, n := range c.Negative {
		if n.What == "" || n.Filter.empty() {
			return fmt.Errorf("negative %d: what and a filter are required", i+1)
		}
		if h := n.Handling; h != nil && (h.Filter.empty() || !slices.Contains([]string{"trace", "session", "agent"}, h.Same)) {
			return fmt.Errorf("negative %d: handling needs a filter, and trace, session or agent as same", i+1)
		}
	}
	return nil
}

//go:embed frameworks/*.yaml
var frameworks embed.FS

// DefaultFramework is the one that is taken where none is named.
const DefaultFramework = "owasp-asi-2026"

// Frameworks are the names of the built-in ones.
func Frameworks() (names []string) {
	list, _ := fs.Glob(frameworks, "frameworks/*.yaml") // the pattern is well formed
	for _, name := range list {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(name, "frameworks/"), ".yaml"))
	}
	return names
}

// BuiltIn is a built-in framework.
func BuiltIn(name string) (Framework, error) {
	text, err := frameworks.ReadFile("frameworks/" + name + ".yaml")
	if err != nil {
		return Framework{}, fmt.Errorf("%w: %.80q is none of %s", ErrFramework, name, strings.Join(Frameworks(), ", "))
	}
	return ParseFramework(text)
}
