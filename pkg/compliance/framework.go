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

	"github.com/sealstream/sealstream/pkg/api"
)

// Framework is a list of controls, as data.
type Framework struct {
	ID       string    `yaml:"id"`       // short name: a-z, 0-9 and hyphens
	Title    string    `yaml:"title"`    // title for people
	Version  string    `yaml:"version"`  // version of the framework
	Source   string    `yaml:"source"`   // where the names of the controls come from
	Badge    string    `yaml:"badge"`    // short text for people
	Controls []Control `yaml:"controls"` // the controls, in order
}

// Control names the entries that are evidence for a control, and those that are evidence against
// it.
type Control struct {
	ID        string     `yaml:"id"`        // id within the framework
	Name      string     `yaml:"name"`      // name for people
	Component string     `yaml:"component"` // component that must be declared
	Evidence  []Evidence `yaml:"evidence"`  // what must be there
	Negative  []Negative `yaml:"negative"`  // what must not be there
	Remedy    string     `yaml:"remedy"`    // what to do if the control does not pass
}

// Evidence asks for entries that must be there.
type Evidence struct {
	What    string     `yaml:"what"`     // description for people
	Filter  api.Filter `yaml:"filter"`   // what counts as evidence
	AtLeast int        `yaml:"at_least"` // entries required in the window, each of which is cited; 0 means 1
	Agents  int        `yaml:"agents"`   // different agents required; 0 means 1
}

// Negative names entries that speak against a control. With Handling, an entry does not count if a
// later entry handles it.
type Negative struct {
	What     string     `yaml:"what"`     // description for people
	Filter   api.Filter `yaml:"filter"`   // what must not be there
	Handling *Handling  `yaml:"handling"` // what handles it; nil if nothing does
}

// Handling names the later entry that handles an earlier one.
type Handling struct {
	Filter api.Filter `yaml:"filter"` // what handles
	Same   string     `yaml:"same"`   // what the two entries share: trace, session or agent
}

// empty reports whether a filter has none of the fields that a framework may fill.
func empty(f api.Filter) bool {
	return len(f.Agent)+len(f.Type)+len(f.Action)+len(f.Outcome)+len(f.Resource)+len(f.Rule) == 0
}

// maxCited is the most entries that one kind of evidence can ask for: each is cited with its proof.
const maxCited = 64

// ErrFramework is wrapped by every error of a framework's file.
var ErrFramework = errors.New("framework")

// ParseFramework reads a framework from YAML. An unknown field is an error. Otherwise a misspelt
// condition would be ignored, and the control would pass without it.
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
	if f.ID == "" || f.Title == "" || f.Version == "" ||
		strings.Trim(f.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
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
		if e.What == "" || empty(e.Filter) || e.AtLeast > maxCited {
			return fmt.Errorf("evidence %d: what and a filter are required, and at most %d entries", i+1, maxCited)
		}
		if slices.Contains(e.Filter.Type, DeclarationType) {
			return fmt.Errorf("evidence %d: a declaration is no evidence", i+1)
		}
	}
	for i, n := range c.Negative {
		if n.What == "" || empty(n.Filter) {
			return fmt.Errorf("negative %d: what and a filter are required", i+1)
		}
		shared := []string{"trace", "session", "agent"}
		if h := n.Handling; h != nil && (empty(h.Filter) || !slices.Contains(shared, h.Same)) {
			return fmt.Errorf("negative %d: handling needs a filter, and trace, session or agent as same", i+1)
		}
	}
	return nil
}

//go:embed frameworks/*.yaml
var frameworks embed.FS

// DefaultFramework is the framework used if none is named.
const DefaultFramework = "owasp-asi-2026"

// Frameworks returns the names of the built-in frameworks.
func Frameworks() (names []string) {
	list, _ := fs.Glob(frameworks, "frameworks/*.yaml") // the pattern is well formed
	for _, name := range list {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(name, "frameworks/"), ".yaml"))
	}
	return names
}

// BuiltIn returns a built-in framework by its name.
func BuiltIn(name string) (Framework, error) {
	text, err := frameworks.ReadFile("frameworks/" + name + ".yaml")
	if err != nil {
		return Framework{}, fmt.Errorf("%w: %.80q is none of %s", ErrFramework, name, strings.Join(Frameworks(), ", "))
	}
	return ParseFramework(text)
}
