package alert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// File is what a rules file says.
type File struct {
	Rules    []Rule
	Lag      time.Duration // as in Config
	Webhooks []Webhook     // their secrets are not read yet: see Webhook.Secret
}

// ConfigError lists what is wrong with a rules file, a line each: FILE:LINE:COLUMN: FIELD: why.
type ConfigError struct{ Problems []string }

func (e *ConfigError) Error() string { return strings.Join(e.Problems, "\n") }

// maxFileBytes bounds a rules file.
const maxFileBytes = 4 << 20

// ParseFile reads a rules file; name is for the messages. What is wrong is a *ConfigError.
func ParseFile(name string, text []byte) (File, error) {
	p := &fileReader{name: name}
	var doc yaml.Node
	if len(text) > maxFileBytes {
		return File{}, &ConfigError{[]string{fmt.Sprintf("%s: %d bytes, more than %d", name, len(text), maxFileBytes)}}
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	err := d.Decode(&doc)
	if err == nil {
		var second yaml.Node
		if err = d.Decode(&second); err == nil && !(len(second.Content) == 1 && isNull(second.Content[0])) {
			p.fail(&second, "file", "a second document, which would not be looked at; one file is one document")
		}
	}
	if !errors.Is(err, io.EOF) && err != nil {
		return File{}, &ConfigError{[]string{fmt.Sprintf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))}}
	}
	var f File
	if len(doc.Content) == 1 && !isNull(doc.Content[0]) {
		p.file(doc.Content[0], &f)
	}
	if len(p.problems) > 0 {
		return File{}, &ConfigError{p.problems}
	}
	return f, nil
}

// fileReader reads the nodes of a file and collects what is wrong with them. It takes no anchors: what a person reads is what there is.
type fileReader struct {
	name     string
	problems []string
}

const maxProblems = 20

func (p *fileReader) fail(n *yaml.Node, path, format string, args ...any) {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, fmt.Sprintf("%s:%d:%d: %s: %s", p.name, n.Line, n.Column, path, fmt.Sprintf(format, args...)))
	}
}

func (p *fileReader) check(n *yaml.Node, path string, err error) {
	if err != nil {
		p.fail(n, path, "%v", err)
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

// mapping calls take for each member; what take does not know it says by false.
func (p *fileReader) mapping(n *yaml.Node, path string, known string, take func(name, path string, v *yaml.Node) bool) {
	if n.Kind != yaml.MappingNode {
		p.fail(n, path, "a mapping is wanted, not %s", kindOf(n))
		return
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
		case !take(k.Value, at, v):
			p.fail(k, at, "no such setting; there are %s", known)
		}
		seen[k.Value] = true
	}
}

func (p *fileReader) list(n *yaml.Node, path string, take func(path string, v *yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		p.fail(n, path, "a list is wanted, not %s", kindOf(n))
		return
	}
	for i, v := range n.Content {
		take(fmt.Sprintf("%s[%d]", path, i), v)
	}
}

func (p *fileReader) text(n *yaml.Node, path string) string {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		p.fail(n, path, "a text is wanted, not %s", kindOf(n))
		return ""
	}
	return n.Value
}

// texts takes one text or a list of them.
func (p *fileReader) texts(n *yaml.Node, path string) (list []string) {
	if n.Kind != yaml.SequenceNode {
		return []string{p.text(n, path)}
	}
	p.list(n, path, func(path string, v *yaml.Node) { list = append(list, p.text(v, path)) })
	return list
}

func (p *fileReader) number(n *yaml.Node, path string) int {
	x, err := strconv.Atoi(p.text(n, path))
	if err != nil {
		p.fail(n, path, "a number is wanted, not %s", kindOf(n))
	}
	return x
}

func (p *fileReader) boolean(n *yaml.Node, path string) bool {
	x := p.text(n, path)
	if x != "true" && x != "false" {
		p.fail(n, path, "true or false is wanted, not %s", kindOf(n))
	}
	return x == "true"
}

func (p *fileReader) duration(n *yaml.Node, path string) time.Duration {
	d, err := time.ParseDuration(p.text(n, path))
	if err != nil {
		p.fail(n, path, "a duration such as 90s, 15m or 24h is wanted, not %s", kindOf(n))
		return time.Second // a second problem of the same value helps nobody
	}
	return d
}

func (p *fileReader) file(n *yaml.Node, f *File) {
	var hooks []*yaml.Node
	p.mapping(n, "file", "rules, sealer_lag, webhooks", func(name, path string, v *yaml.Node) bool {
		switch name {
		case "rules":
			names := map[string]bool{}
			p.list(v, path, func(path string, v *yaml.Node) {
				r := p.rule(v, path)
				if slices.Contains(Told, r.Name) || names[r.Name] {
					p.fail(v, path, "%q: %v", r.Name, errTaken)
				}
				names[r.Name] = true
				f.Rules = append(f.Rules, r)
			})
			if len(f.Rules) > maxRules {
				p.fail(v, path, "%d rules, more than %d", len(f.Rules), maxRules)
			}
		case "sealer_lag":
			if v.Value == "off" {
				f.Lag = -1
				break
			}
			f.Lag = p.duration(v, path)
			p.check(v, path, checkDuration(f.Lag))
		case "webhooks":
			names := map[string]bool{}
			p.list(v, path, func(path string, v *yaml.Node) {
				w := p.webhook(v, path)
				if names[w.Name] {
					p.fail(v, path, "%q: %v", w.Name, errTaken)
				}
				names[w.Name] = true
				f.Webhooks, hooks = append(f.Webhooks, w), append(hooks, v)
			})
		default:
			return false
		}
		return true
	})
	for i, w := range f.Webhooks { // when all rules are known
		for _, name := range w.Rules {
			if !f.tells(name) {
				p.fail(hooks[i], fmt.Sprintf("webhooks[%d].rules", i), "%q is no rule of this file, nor a type that is always told", name)
			}
		}
	}
}

// tells says whether alerts may have a rule of that name.
func (f *File) tells(rule string) bool {
	return slices.Contains(Told, rule) || slices.Contains([]string{TypeLag, TypeFailure, TypeVoid}, rule) ||
		slices.ContainsFunc(f.Rules, func(r Rule) bool { return r.Name == rule })
}

func (p *fileReader) rule(n *yaml.Node, path string) (r Rule) {
	before := len(p.problems)
	p.mapping(n, path, "name, match, rate, silence", func(name, path string, v *yaml.Node) bool {
		switch name {
		case "name":
			r.Name = p.text(v, path)
			p.check(v, path, checkName(r.Name))
		case "match":
			p.mapping(v, path, "", func(field, path string, v *yaml.Node) bool {
				c := p.condition(v, path, field)
				r.Match = append(r.Match, c)
				return true
			})
		case "rate":
			r.Rate = p.rate(v, path)
		case "silence":
			r.Silence = p.duration(v, path)
			p.check(v, path, checkDuration(r.Silence))
		default:
			return false
		}
		return true
	})
	if len(p.problems) > before {
		return r
	}
	if r.Name == "" {
		p.fail(n, path, "a rule needs a name")
	}
	p.check(n, path, r.check())
	return r
}

// condition reads what one field must be: a value, a list of values, or a mapping of equals and prefix.
func (p *fileReader) condition(n *yaml.Node, path, field string) Condition {
	c := Condition{Field: field}
	if err := checkField(field); err != nil {
		p.fail(n, path, "%v", err)
		return c
	}
	before := len(p.problems)
	if n.Kind != yaml.MappingNode {
		c.Values = p.texts(n, path)
		for _, v := range c.Values {
			if strings.HasSuffix(v, "*") {
				p.fail(n, path, "%q is compared as it stands; write {prefix: %q}, or {equals: %q} if that is meant", v, strings.TrimSuffix(v, "*"), v)
			}
		}
	} else {
		p.mapping(n, path, "equals, prefix", func(name, path string, v *yaml.Node) bool {
			switch name {
			case "equals":
				c.Values = p.texts(v, path)
			case "prefix":
				c.Prefixes = p.texts(v, path)
			default:
				return false
			}
			return true
		})
	}
	if len(p.problems) == before {
		p.check(n, path, c.check())
	}
	return c
}

func (p *fileReader) rate(n *yaml.Node, path string) *Rate {
	r := &Rate{}
	given := map[string]bool{}
	p.mapping(n, path, "count, window, per", func(name, path string, v *yaml.Node) bool {
		given[name] = true
		before := len(p.problems)
		var err error
		switch name {
		case "count":
			r.Count = p.number(v, path)
			err = checkCount(r.Count)
		case "window":
			r.Window = p.duration(v, path)
			err = checkDuration(r.Window)
		case "per":
			r.Per = p.text(v, path)
			err = checkPer(r.Per)
		default:
			return false
		}
		if len(p.problems) == before {
			p.check(v, path, err)
		}
		return true
	})
	for _, name := range []string{"count", "window", "per"} {
		if n.Kind == yaml.MappingNode && !given[name] {
			p.fail(n, path, "%s is missing", name)
		}
	}
	return r
}

func (p *fileReader) webhook(n *yaml.Node, path string) (w Webhook) {
	before := len(p.problems)
	p.mapping(n, path, "name, url, secret_file, types, rules, timeout, back_off, max_back_off, give_up, allow_http", func(name, path string, v *yaml.Node) bool {
		switch name {
		case "name":
			w.Name = p.text(v, path)
			p.check(v, path, checkName(w.Name))
		case "url":
			w.URL = p.text(v, path)
		case "secret_file":
			w.SecretFile = p.text(v, path)
		case "types":
			w.Types = p.texts(v, path)
		case "rules":
			w.Rules = p.texts(v, path)
		case "timeout":
			w.Timeout = p.duration(v, path)
		case "back_off":
			w.BackOff = p.duration(v, path)
		case "max_back_off":
			w.MaxBackOff = p.duration(v, path)
		case "give_up":
			w.GiveUp = p.duration(v, path)
		case "allow_http":
			w.AllowHTTP = p.boolean(v, path)
		default:
			return false
		}
		return true
	})
	if len(p.problems) == before {
		p.check(n, path, w.Check())
	}
	return w
}

// Is makes every ConfigError an errConfig.
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }

// ErrConfig: a setting cannot be.
var ErrConfig = errors.New("wrong setting of alerts")
