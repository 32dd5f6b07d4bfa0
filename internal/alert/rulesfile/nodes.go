package rulesfile

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// fileReader reads the nodes of a file and collects what is wrong with them, with line and column.
// It refuses anchors: what a person reads is what there is.
type fileReader struct {
	name     string
	problems []string
}

const maxProblems = 20

func (p *fileReader) fail(n *yaml.Node, path, format string, args ...any) {
	if len(p.problems) < maxProblems {
		why := fmt.Sprintf(format, args...)
		p.problems = append(p.problems, fmt.Sprintf("%s:%d:%d: %s: %s", p.name, n.Line, n.Column, path, why))
	}
}

func (p *fileReader) check(n *yaml.Node, path string, err error) {
	if err != nil {
		p.fail(n, path, "%v", err)
	}
}

// member is a member of a mapping.
type member struct {
	name  string
	into  any          // where its value goes, as value takes it
	check func() error // of the value, once it is read; may be nil
}

// mapping reads the members of a mapping. It returns the names that are there, or nil if n is no
// mapping.
func (p *fileReader) mapping(n *yaml.Node, path string, members []member) (given map[string]bool) {
	known := make([]string, len(members))
	for i, m := range members {
		known[i] = m.name
	}
	return p.pairs(n, path, func(k, v *yaml.Node, name, path string) {
		for _, m := range members {
			if m.name != name {
				continue
			}
			before := len(p.problems)
			if p.value(v, path, m.into); m.check != nil && len(p.problems) == before {
				p.check(v, path, m.check())
			}
			return
		}
		p.fail(k, path, "no such setting; there are %s", strings.Join(known, ", "))
	})
}

// pairs calls take for each member of a mapping, whatever its name.
func (p *fileReader) pairs(n *yaml.Node, path string, take func(k, v *yaml.Node, name, path string)) map[string]bool {
	if n.Kind != yaml.MappingNode {
		p.fail(n, path, "a mapping is wanted, not %s", kindOf(n))
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+k.Value, "file.")
		switch {
		case k.Kind != yaml.ScalarNode:
			p.fail(k, path, "a name is wanted, not %s", kindOf(k))
		case seen[k.Value]:
			p.fail(k, at, "given twice")
		default:
			take(k, v, k.Value, at)
		}
		seen[k.Value] = true
	}
	return seen
}

// each is a value that is a list.
func (p *fileReader) each(take func(n *yaml.Node, path string)) func(n *yaml.Node, path string) {
	return func(n *yaml.Node, path string) {
		if n.Kind != yaml.SequenceNode {
			p.fail(n, path, "a list is wanted, not %s", kindOf(n))
			return
		}
		for i, v := range n.Content {
			take(v, fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

// value reads a node into a place whose type says what is wanted; a function reads it by itself. A
// list of texts may be one text.
func (p *fileReader) value(n *yaml.Node, path string, into any) {
	switch v := into.(type) {
	case func(n *yaml.Node, path string):
		v(n, path)
		return
	case *[]string:
		add := func(n *yaml.Node, path string) {
			var text string
			p.value(n, path, &text)
			*v = append(*v, text)
		}
		if n.Kind == yaml.SequenceNode {
			add = p.each(add)
		}
		add(n, path)
		return
	}
	if n.Kind != yaml.ScalarNode || isNull(n) {
		p.fail(n, path, "a text is wanted, not %s", kindOf(n))
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
	}
	if err != nil {
		p.fail(n, path, "%s is wanted, not %s", wanted, kindOf(n))
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias, which is not taken"
	}
	if isNull(n) {
		return "nothing"
	}
	return strconv.Quote(n.Value)
}
