package yamlfile

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Reader reads the nodes of a file and collects what is wrong with them.
type Reader struct {
	name     string
	problems []string
}

// MaxProblems is how many problems of one file are recorded.
const MaxProblems = 20

// Fail records a problem of a node.
func (r *Reader) Fail(n *yaml.Node, path, format string, args ...any) {
	if len(r.problems) < MaxProblems {
		why := fmt.Sprintf(format, args...)
		r.problems = append(r.problems, fmt.Sprintf("%s:%d:%d: %s: %s", r.name, n.Line, n.Column, path, why))
	}
}

// Check records an error about a node, unless it is nil.
func (r *Reader) Check(n *yaml.Node, path string, err error) {
	if err != nil {
		r.Fail(n, path, "%v", err)
	}
}

// Member is a setting of a mapping.
type Member struct {
	Name  string
	Into  any          // where its value goes, as Value takes it
	Check func() error // checks the value once it is read; nil accepts every value
}

// Mapping reads the members of a mapping. It returns the names that are there, or nil if n is no
// mapping.
func (r *Reader) Mapping(n *yaml.Node, path string, members []Member) (given map[string]bool) {
	known := make([]string, len(members))
	for i, m := range members {
		known[i] = m.Name
	}
	return r.Pairs(n, path, func(k, v *yaml.Node, name, path string) {
		for _, m := range members {
			if m.Name != name {
				continue
			}
			before := len(r.problems)
			if r.Value(v, path, m.Into); m.Check != nil && len(r.problems) == before {
				r.Check(v, path, m.Check())
			}
			return
		}
		r.Fail(k, path, "no such setting; there are %s", strings.Join(known, ", "))
	})
}

// Pairs calls take for each member of a mapping, whatever its name.
func (r *Reader) Pairs(n *yaml.Node, path string, take func(k, v *yaml.Node, name, path string)) map[string]bool {
	if n.Kind != yaml.MappingNode {
		r.Fail(n, path, "a mapping is wanted, not %s", kindOf(n))
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+k.Value, "file.")
		switch {
		case k.Kind != yaml.ScalarNode:
			r.Fail(k, path, "a name is wanted, not %s", kindOf(k))
		case seen[k.Value]:
			r.Fail(k, at, "given twice")
		default:
			take(k, v, k.Value, at)
		}
		seen[k.Value] = true
	}
	return seen
}

// Each makes a value of a list: take reads each element.
func (r *Reader) Each(take func(n *yaml.Node, path string)) func(n *yaml.Node, path string) {
	return func(n *yaml.Node, path string) {
		if n.Kind != yaml.SequenceNode {
			r.Fail(n, path, "a list is wanted, not %s", kindOf(n))
			return
		}
		for i, v := range n.Content {
			take(v, fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

// Value reads a node into a place whose type says what is wanted: *string, *int, *bool,
// *time.Duration, *time.Time, or *[]string, which may be given as one text. A function reads the
// node by itself.
func (r *Reader) Value(n *yaml.Node, path string, into any) {
	switch v := into.(type) {
	case func(n *yaml.Node, path string):
		v(n, path)
		return
	case *[]string:
		add := func(n *yaml.Node, path string) {
			var text string
			r.Value(n, path, &text)
			*v = append(*v, text)
		}
		if n.Kind == yaml.SequenceNode {
			add = r.Each(add)
		}
		add(n, path)
		return
	}
	if n.Kind != yaml.ScalarNode || IsNull(n) {
		r.Fail(n, path, "a text is wanted, not %s", kindOf(n))
		return
	}
	var err error
	wanted := ""
	switch v := into.(type) {
	case *string:
		*v = n.Value
	case *int:
		wanted = "a number"
		*v, err = strconv.Atoi(n.Value)
	case *bool:
		wanted = "true or false"
		if *v = n.Value == "true"; !*v && n.Value != "false" {
			err = strconv.ErrSyntax
		}
	case *time.Duration:
		wanted = "a duration such as 90s, 15m or 24h"
		*v, err = time.ParseDuration(n.Value)
	case *time.Time:
		wanted = "a time such as 2027-03-01T00:00:00Z"
		*v, err = time.Parse(time.RFC3339, n.Value)
	}
	if err != nil {
		r.Fail(n, path, "%s is wanted, not %s", wanted, kindOf(n))
	}
}

// IsNull reports whether a node has no value.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// kindOf describes a node that is not what is wanted.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias, which is not taken"
	}
	if IsNull(n) {
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

// Count returns how many problems were recorded so far.
func (r *Reader) Count() int { return len(r.problems) }
