// Package rulesfile reads the rules and webhooks of alerts from YAML.
package rulesfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/internal/alert"
)

// ConfigError lists the problems of a rules file, one a line: FILE:LINE:COLUMN: FIELD: reason.
type ConfigError struct{ Problems []string }

func (e *ConfigError) Error() string { return strings.Join(e.Problems, "\n") }

// Is reports that every ConfigError is an alert.ErrConfig.
func (e *ConfigError) Is(target error) bool { return target == alert.ErrConfig }

// maxFileBytes limits a rules file.
const maxFileBytes = 4 << 20

// Parse reads a rules file. name is used in messages. The error is a *ConfigError.
func Parse(name string, text []byte) (alert.File, error) {
	p := &fileReader{name: name}
	var doc yaml.Node
	if len(text) > maxFileBytes {
		return alert.File{}, &ConfigError{[]string{fmt.Sprintf("%s: %d bytes, more than %d", name, len(text), maxFileBytes)}}
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
		return alert.File{}, &ConfigError{[]string{fmt.Sprintf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))}}
	}
	var f alert.File
	if len(doc.Content) == 1 && !isNull(doc.Content[0]) {
		p.file(doc.Content[0], &f)
	}
	if len(p.problems) > 0 {
		return alert.File{}, &ConfigError{p.problems}
	}
	return f, nil
}

func (p *fileReader) file(n *yaml.Node, f *alert.File) {
	var hooks []*yaml.Node
	off := false // sealer_lag
	ruleNames, hookNames := map[string]bool{}, map[string]bool{}
	p.mapping(n, "file", []member{
		{name: "rules", into: p.each(func(n *yaml.Node, path string) {
			r := p.rule(n, path)
			p.claim(n, path, r.Name, ruleNames, alert.AlertTypes)
			f.Rules = append(f.Rules, r)
		}), check: func() error { return alert.CheckRuleCount(len(f.Rules)) }},
		{"sealer_lag", func(n *yaml.Node, path string) {
			if off = n.Value == "off"; off {
				f.Lag = -1
			} else {
				p.value(n, path, &f.Lag)
			}
		}, func() error {
			if off {
				return nil
			}
			return alert.CheckDuration(f.Lag)
		}},
		{name: "webhooks", into: p.each(func(n *yaml.Node, path string) {
			w := p.webhook(n, path)
			p.claim(n, path, w.Name, hookNames, nil)
			f.Webhooks, hooks = append(f.Webhooks, w), append(hooks, n)
		})},
	})
	for i, w := range f.Webhooks { // checked when all rules are known
		for _, name := range w.Rules {
			if !f.Sends(name) {
				p.fail(hooks[i], fmt.Sprintf("webhooks[%d].rules", i),
					"%q is no rule of this file, nor a type that is always told", name)
			}
		}
	}
}

// claim refuses a name that is taken already, here or by something built in.
func (p *fileReader) claim(n *yaml.Node, path, name string, here map[string]bool, builtIn []string) {
	if here[name] || slices.Contains(builtIn, name) {
		p.fail(n, path, "%q: %v", name, alert.ErrTaken)
	}
	here[name] = true
}

func (p *fileReader) rule(n *yaml.Node, path string) (r alert.Rule) {
	before := len(p.problems)
	p.mapping(n, path, []member{
		{"name", &r.Name, func() error { return alert.CheckName(r.Name) }},
		{"match", func(n *yaml.Node, path string) {
			p.pairs(n, path, func(_, v *yaml.Node, field, path string) {
				r.Match = append(r.Match, p.condition(v, path, field))
			})
		}, nil},
		{"rate", func(n *yaml.Node, path string) { r.Rate = p.rate(n, path) }, nil},
		{"silence", &r.Silence, func() error { return alert.CheckDuration(r.Silence) }},
	})
	if len(p.problems) > before {
		return r
	}
	if r.Name == "" {
		p.fail(n, path, "a rule needs a name")
	}
	p.check(n, path, r.Check())
	return r
}

// condition reads a condition: a value, a list of values, or a mapping of equals and prefix.
func (p *fileReader) condition(n *yaml.Node, path, field string) alert.Condition {
	c := alert.Condition{Field: field}
	if err := alert.CheckField(field); err != nil {
		p.fail(n, path, "%v", err)
		return c
	}
	before := len(p.problems)
	if n.Kind == yaml.MappingNode {
		p.mapping(n, path, []member{{name: "equals", into: &c.Values}, {name: "prefix", into: &c.Prefixes}})
	} else {
		p.value(n, path, &c.Values)
		for _, v := range c.Values {
			if start, ok := strings.CutSuffix(v, "*"); ok {
				p.fail(n, path, "%q is compared as it stands; write {prefix: %q}, or {equals: %q} if that is meant", v, start, v)
			}
		}
	}
	if len(p.problems) == before {
		p.check(n, path, c.Check())
	}
	return c
}

func (p *fileReader) rate(n *yaml.Node, path string) *alert.Rate {
	r := &alert.Rate{}
	given := p.mapping(n, path, []member{
		{"count", &r.Count, func() error { return alert.CheckCount(r.Count) }},
		{"window", &r.Window, func() error { return alert.CheckDuration(r.Window) }},
		{"per", &r.Per, func() error { return alert.CheckPer(r.Per) }},
	})
	for _, name := range []string{"count", "window", "per"} {
		if given != nil && !given[name] {
			p.fail(n, path, "%s is missing", name)
		}
	}
	return r
}

func (p *fileReader) webhook(n *yaml.Node, path string) (w alert.Webhook) {
	before := len(p.problems)
	p.mapping(n, path, []member{
		{"name", &w.Name, func() error { return alert.CheckName(w.Name) }},
		{name: "url", into: &w.URL},
		{name: "secret_file", into: &w.SecretFile},
		{name: "types", into: &w.Types},
		{name: "rules", into: &w.Rules},
		{name: "timeout", into: &w.Timeout},
		{name: "back_off", into: &w.BackOff},
		{name: "max_back_off", into: &w.MaxBackOff},
		{name: "give_up", into: &w.GiveUp},
		{name: "allow_http", into: &w.AllowHTTP},
	})
	if len(p.problems) == before {
		p.check(n, path, w.Check())
	}
	return w
}
