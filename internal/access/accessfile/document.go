package accessfile

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/internal/access"
)

// document is a file that is being changed, as lines and as nodes. whole says which of them the
// change is made in.
type document struct {
	root  yaml.Node
	lines []string
	whole bool
	err   error
}

func (d *document) text() ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	if !d.whole {
		return []byte(strings.Join(d.lines, "")), nil
	}
	text, err := format(&d.root)
	return []byte(text), err
}

// top returns the mapping of the whole file. An empty file gets one.
func (d *document) top() *yaml.Node {
	if d.root.Kind == 0 {
		d.root = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{mapping()}}
	} else if len(d.root.Content) == 1 && d.root.Content[0].Kind == yaml.ScalarNode {
		*d.root.Content[0] = *mapping()
	}
	return d.root.Content[0]
}

// member returns the value of a member of a mapping, or nil.
func member(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// add adds a token to the identity with an id, or adds an identity with it.
func (d *document) add(id string, t access.TokenHash, g *access.Grants) {
	top := d.top()
	all := member(top, "identities")
	if all == nil {
		n := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{identityNode(id, t, g)}}
		d.put(top, "identities", n, len(d.lines), 1)
		return
	}
	for _, identity := range all.Content {
		if at := member(identity, "id"); at == nil || at.Value != id {
			continue
		}
		if tokens := member(identity, "tokens"); tokens != nil && len(tokens.Content) > 0 {
			d.push(tokens, tokenNode(t))
		} else {
			n := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{tokenNode(t)}}
			d.put(identity, "tokens", n, member(identity, "id").Line, identity.Column)
		}
		return
	}
	d.push(all, identityNode(id, t, g))
}

// put sets a member of a mapping. In lines it goes after line, at a column.
func (d *document) put(n *yaml.Node, name string, value *yaml.Node, line, column int) {
	if !d.whole {
		d.insert(line, column, mapping(name, value))
	} else if old := member(n, name); old != nil {
		*old = *value
	} else {
		n.Content = append(n.Content, scalar(name), value)
	}
}

// push adds an element to a list. In lines it goes behind the last one.
func (d *document) push(n, value *yaml.Node) {
	if !d.whole && len(n.Content) > 0 {
		d.insert(lastLine(n), n.Column, &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{value}})
		return
	}
	n.Kind, n.Tag, n.Value, n.Style = yaml.SequenceNode, "", "", 0
	n.Content = append(n.Content, value)
}

// insert inserts a node as block YAML after a line, at a column.
func (d *document) insert(line, column int, n *yaml.Node) {
	text, err := format(n)
	if err != nil {
		d.err = err
		return
	}
	indent := strings.Repeat(" ", column-1)
	added := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	for i := range added {
		added[i] = indent + strings.TrimSuffix(added[i], "\n") + "\n"
	}
	line = min(line, len(d.lines))
	if line > 0 && d.lines[line-1] != "" && !strings.HasSuffix(d.lines[line-1], "\n") {
		d.lines[line-1] += "\n"
	}
	d.lines = slices.Insert(d.lines, line, added...)
}

// remove removes the token with a position from the identity with a position.
func (d *document) remove(identity, token int) {
	at := member(d.top(), "identities").Content[identity]
	tokens := member(at, "tokens")
	if d.whole {
		if tokens.Content = slices.Delete(tokens.Content, token, token+1); len(tokens.Content) == 0 {
			k := slices.Index(at.Content, tokens)
			at.Content = slices.Delete(at.Content, k-1, k+1)
		}
		return
	}
	from, to := tokens.Content[token].Line, lastLine(tokens.Content[token])
	if len(tokens.Content) == 1 {
		from = at.Content[slices.Index(at.Content, tokens)-1].Line // the name of the list, too
	}
	d.lines = slices.Delete(d.lines, from-1, to)
}

// lastLine returns the last line that a node stands on, unless it ends in a text of several lines.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, child := range n.Content {
		last = max(last, lastLine(child))
	}
	return last
}
