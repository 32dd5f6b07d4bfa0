// Package accessfile reads and edits access.yaml, the rules of access as people write them.
package accessfile

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/yamlfile"
)

// Error lists the problems of a file, one a line: FILE:LINE:COLUMN: SETTING: reason.
type Error struct{ Problems []string }

func (e *Error) Error() string { return strings.Join(e.Problems, "\n") }

// Is reports that every Error is an access.ErrRules.
func (e *Error) Is(target error) bool { return target == access.ErrRules }

// Parse reads and checks a file. name is used in messages. The error is an *Error. An empty file
// has no identities, so nobody may do anything.
func Parse(name string, text []byte) (*access.Version, error) {
	var rules access.Rules
	problems := yamlfile.Read(name, text, access.MaxFileBytes, func(r *yamlfile.Reader, n *yaml.Node) {
		reader{r}.file(n, &rules)
	})
	if len(problems) > 0 {
		return nil, &Error{problems}
	}
	v, err := access.Compile(rules)
	if err != nil {
		return nil, &Error{[]string{name + ": " + reason(err)}}
	}
	return v, nil
}

// reason is the text of an error without that of ErrRules, which is clear from the file's name.
func reason(err error) string {
	return strings.Replace(err.Error(), access.ErrRules.Error()+": ", "", 1)
}

// reader reads the parts of a file.
type reader struct{ *yamlfile.Reader }

func (p reader) file(n *yaml.Node, rules *access.Rules) {
	p.Mapping(n, "file", []yamlfile.Member{
		{Name: "issuers", Into: p.Each(func(n *yaml.Node, path string) {
			rules.Issuers = append(rules.Issuers, p.issuer(n, path))
		})},
		{Name: "identities", Into: p.Each(func(n *yaml.Node, path string) {
			rules.Identities = append(rules.Identities, p.identity(n, path))
		})},
	})
}

// required reports the members that a mapping must have, and has not.
func (p reader) required(n *yaml.Node, path string, given map[string]bool, names ...string) {
	for _, name := range names {
		if given != nil && !given[name] {
			p.Fail(n, path, "%s is missing", name)
		}
	}
}

func (p reader) issuer(n *yaml.Node, path string) (i access.Issuer) {
	given := p.Mapping(n, path, []yamlfile.Member{
		{Name: "url", Into: &i.URL},
		{Name: "audience", Into: &i.Audience},
		{Name: "algorithms", Into: &i.Algorithms},
		{Name: "ca_file", Into: &i.CAFile},
	})
	p.required(n, path, given, "url", "audience")
	return i
}

func (p reader) identity(n *yaml.Node, path string) (d access.Identity) {
	given := p.Mapping(n, path, []yamlfile.Member{
		{Name: "id", Into: &d.ID},
		{Name: "tokens", Into: p.Each(func(n *yaml.Node, path string) {
			d.Tokens = append(d.Tokens, p.token(n, path))
		})},
		{Name: "oidc", Into: p.Each(func(n *yaml.Node, path string) {
			d.OIDC = append(d.OIDC, p.claimRule(n, path))
		})},
		{Name: "mtls", Into: &d.MTLS},
		{Name: "nkeys", Into: &d.NKeys},
		{Name: "may", Into: func(n *yaml.Node, path string) { p.grants(n, path, &d.Grants) }},
	})
	p.required(n, path, given, "id")
	return d
}

func (p reader) token(n *yaml.Node, path string) (t access.TokenHash) {
	var hash string
	given := p.Mapping(n, path, []yamlfile.Member{
		{Name: "name", Into: &t.Name},
		{Name: "sha256", Into: &hash, Check: func() (err error) {
			if t.Hash, err = access.ParseTokenHash(hash); err != nil {
				err = fmt.Errorf("64 lower-case hex digits are wanted, as `sealstream token create` writes them")
			}
			return err
		}},
		{Name: "expires", Into: &t.Expires},
	})
	p.required(n, path, given, "name", "sha256")
	return t
}

func (p reader) claimRule(n *yaml.Node, path string) (c access.ClaimRule) {
	given := p.Mapping(n, path, []yamlfile.Member{
		{Name: "issuer", Into: &c.Issuer},
		{Name: "claims", Into: func(n *yaml.Node, path string) {
			c.Claims = map[string]string{}
			p.Pairs(n, path, func(_, v *yaml.Node, name, path string) {
				var text string
				p.Value(v, path, &text)
				c.Claims[name] = text
			})
		}},
		{Name: "name", Into: &c.Name},
	})
	p.required(n, path, given, "issuer", "claims")
	return c
}

// grants reads what an identity may do. A list of agents must be a list: a single text such as all
// could mean an agent or everything.
func (p reader) grants(n *yaml.Node, path string, g *access.Grants) {
	agents := func(into *access.Agents, word string, all *bool) func(n *yaml.Node, path string) {
		return func(n *yaml.Node, path string) {
			switch {
			case n.Kind == yaml.SequenceNode:
				p.Value(n, path, (*[]string)(into))
			case all != nil && n.Kind == yaml.ScalarNode && n.Value == "all":
				*all = true
			default:
				p.Fail(n, path, "%s is wanted", word)
			}
		}
	}
	p.Mapping(n, path, []yamlfile.Member{
		{Name: "publish", Into: agents(&g.Publish, "a list of agents", nil)},
		{Name: "read", Into: agents(&g.Read, "all, or a list of agents,", &g.ReadAll)},
		{Name: "proof", Into: func(n *yaml.Node, path string) {
			if g.OldHashes = n.Value == "all"; g.OldHashes {
				g.Proof = true
			} else {
				p.Value(n, path, &g.Proof)
			}
		}},
		{Name: "alerts", Into: &g.Alerts},
		{Name: "export", Into: &g.Export},
		{Name: "approve", Into: &g.Approve},
		{Name: "admin", Into: &g.Admin},
	})
}
