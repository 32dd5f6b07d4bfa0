package accessfile

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/internal/access"
)

// Errors of edits.
var (
	// ErrNone reports that there is no token of that name.
	ErrNone = errors.New("no such token")
	// ErrTaken reports that an identity has a token of that name, or rights other than those asked
	// for.
	ErrTaken = errors.New("taken")
)

// AddToken returns the text of a file with one more token. If there is no identity of that id, it
// adds one with the grants. If there is one, grants must be nil: what it may do is then for a
// person to change in the file.
func AddToken(name string, text []byte, id string, t access.TokenHash, grants *access.Grants) ([]byte, error) {
	v, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	want := clone(v.Rules())
	at := slices.IndexFunc(want.Identities, func(d access.Identity) bool { return d.ID == id })
	switch {
	case at < 0 && grants == nil:
		return nil, fmt.Errorf("%s has no identity %q; say what the token may do, such as --read all", name, id)
	case at < 0:
		want.Identities = append(want.Identities, access.Identity{ID: id, Tokens: []access.TokenHash{t}, Grants: *grants})
	case grants != nil:
		return nil, fmt.Errorf("%w: identity %q exists; what it may do stands in %s", ErrTaken, id, name)
	case slices.ContainsFunc(want.Identities[at].Tokens, func(x access.TokenHash) bool { return x.Name == t.Name }):
		return nil, fmt.Errorf("%w: identity %q has a token %q", ErrTaken, id, t.Name)
	default:
		want.Identities[at].Tokens = append(want.Identities[at].Tokens, t)
	}
	if _, err := access.Compile(want); err != nil {
		return nil, err
	}
	return edit(text, want, func(d *document) { d.add(id, t, grants) })
}

// RemoveToken returns the text of a file without a token. The identity stays.
func RemoveToken(name string, text []byte, id, token string) ([]byte, error) {
	v, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	want := clone(v.Rules())
	for i := range want.Identities {
		d := &want.Identities[i]
		k := slices.IndexFunc(d.Tokens, func(t access.TokenHash) bool { return t.Name == token })
		if d.ID == id && k >= 0 {
			if d.Tokens = slices.Delete(d.Tokens, k, k+1); len(d.Tokens) == 0 {
				d.Tokens = nil
			}
			return edit(text, want, func(doc *document) { doc.remove(i, k) })
		}
	}
	return nil, fmt.Errorf("%w: %s has no token %q of %q", ErrNone, name, token, id)
}

// clone copies what edits change.
func clone(r access.Rules) access.Rules {
	r.Identities = slices.Clone(r.Identities)
	for i := range r.Identities {
		r.Identities[i].Tokens = slices.Clone(r.Identities[i].Tokens)
	}
	return r
}

// edit changes a text so that it says want. It first changes the lines alone that must change, so
// that comments and layout stay. If the result does not say want, because the file is written in an
// unusual style, it writes the whole file anew, with its comments.
func edit(text []byte, want access.Rules, change func(*document)) ([]byte, error) {
	for _, whole := range []bool{false, true} {
		doc := &document{lines: strings.SplitAfter(string(text), "\n"), whole: whole}
		if err := yaml.Unmarshal(text, &doc.root); err != nil {
			return nil, err
		}
		change(doc)
		after, err := doc.text()
		if err != nil {
			return nil, err
		}
		if v, err := Parse("", after); err == nil && reflect.DeepEqual(v.Rules(), want) {
			return after, nil
		}
	}
	return nil, errors.New("the file cannot be changed by a program; add the token by hand")
}

// tokenNode returns a token as YAML.
func tokenNode(t access.TokenHash) *yaml.Node {
	n := mapping("name", scalar(t.Name), "sha256", scalar(fmt.Sprintf("%x", t.Hash)))
	if !t.Expires.IsZero() {
		n.Content = append(n.Content, scalar("expires"), scalar(t.Expires.Format(time.RFC3339)))
	}
	return n
}

// identityNode returns a new identity as YAML.
func identityNode(id string, t access.TokenHash, g *access.Grants) *yaml.Node {
	may := mapping()
	add := func(name string, n *yaml.Node) { may.Content = append(may.Content, scalar(name), n) }
	if len(g.Publish) > 0 {
		add("publish", list(g.Publish))
	}
	if g.ReadAll {
		add("read", scalar("all"))
	} else if len(g.Read) > 0 {
		add("read", list(g.Read))
	}
	if g.OldHashes {
		add("proof", scalar("all"))
	} else if g.Proof {
		add("proof", boolean())
	}
	for _, s := range []struct {
		scope access.Scope
		given bool
	}{{access.Alerts, g.Alerts}, {access.Export, g.Export}, {access.Approve, g.Approve}, {access.Admin, g.Admin}} {
		if s.given {
			add(s.scope.String(), boolean())
		}
	}
	tokens := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{tokenNode(t)}}
	return mapping("id", scalar(id), "tokens", tokens, "may", may)
}

func scalar(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func boolean() *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"} }

func list(agents access.Agents) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, a := range agents {
		n.Content = append(n.Content, scalar(a))
	}
	return n
}

// mapping makes a mapping of names and nodes in turn.
func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(pairs); i += 2 {
		n.Content = append(n.Content, scalar(pairs[i].(string)), pairs[i+1].(*yaml.Node))
	}
	return n
}

// format writes a node as block YAML.
func format(n *yaml.Node) (string, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err := errors.Join(e.Encode(n), e.Close())
	return b.String(), err
}
