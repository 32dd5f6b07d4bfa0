// Package rulesfile reads the rules and webhooks of alerts from YAML.
package rulesfile

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/yamlfile"
)

// ConfigError lists the problems of a rules file, one a line: FILE:LINE:COLUMN: FIELD: reason.
type ConfigError struct{ Problems []string }

func (e *ConfigError) Error() string { return strings.Join(e.Problems, "\n") }

// Is reports that every ConfigError is an alert.ErrConfig.
func (e *ConfigError) Is(target error) bool { return target == alert.ErrConfig }

// maxFileBytes limits a rules file.
const maxFileBytes = 4 << 20

// Parse reads a rules file. name is used in messages. The error is a *ConfigError.
func Parse(name string, text []byte) (f alert.File, err error) {
	problems := yamlfile.Read(name, text, maxFileBytes, func(r *yamlfile.Reader, n *yaml.Node) {
		fileReader{r}.file(n, &f)
	})
	if len(problems) > 0 {
		return alert.File{}, &ConfigError{problems}
	}
	return f, nil
}

// fileReader reads the parts of a rules file.
type fileReader struct{ *yamlfile.Reader }

func (p fileReader) file(n *yaml.Node, f *alert.File) {
	var hooks []*yaml.Node
	off := false // sealer_lag
	ruleNames, hookNames := map[string]bool{}, map[string]bool{}
	p.Mapping(n, "file", []yamlfile.Member{
		{Name: "rules", Into: p.Each(func(n *yaml.Node, path string) {
			r := p.rule(n, path)
			p.claim(n, path, r.Name, ruleNames, alert.AlertTypes)
			f.Rules = append(f.Rules, r)
		}), Check: func() error { return alert.CheckRuleCount(len(f.Rules)) }},
		{Name: "sealer_lag", Into: func(n *yaml.Node, path string) {
			if off = n.Value == "off"; off {
				f.Lag = -1
			} else {
				p.Value(n, path, &f.Lag)
			}
		}, Check: func() error {
			if off {
				return nil
			}
			return alert.CheckDuration(f.Lag)
		}},
		{Name: "webhooks", Into: p.Each(func(n *yaml.Node, path string) {
			w := p.webhook(n, path)
			p.claim(n, path, w.Name, hookNames, nil)
			f.Webhooks, hooks = append(f.Webhooks, w), append(hooks, n)
		})},
	})
	for i, w := range f.Webhooks { // checked when all rules are known
		for _, name := range w.Rules {
			if !f.Sends(name) {
				p.Fail(hooks[i], fmt.Sprintf("webhooks[%d].rules", i),
					"%q is no rule of this file, nor a type that is always told", name)
			}
		}
	}
}

// claim refuses a name that is taken already, here or by something built in.
func (p fileReader) claim(n *yaml.Node, path, name string, here map[string]bool, builtIn []string) {
	if here[name] || slices.Contains(builtIn, name) {
		p.Fail(n, path, "%q: %v", name, alert.ErrTaken)
	}
	here[name] = true
}

func (p fileReader) rule(n *yaml.Node, path string) (r alert.Rule) {
	before := p.Count()
	p.Mapping(n, path, []yamlfile.Member{
		{Name: "name", Into: &r.Name, Check: func() error { return alert.CheckName(r.Name) }},
		{Name: "match", Into: func(n *yaml.Node, path string) {
			p.Pairs(n, path, func(_, v *yaml.Node, field, path string) {
				r.Match = append(r.Match, p.condition(v, path, field))
			})
		}},
		{Name: "rate", Into: func(n *yaml.Node, path string) { r.Rate = p.rate(n, path) }},
		{Name: "silence", Into: &r.Silence, Check: func() error { return alert.CheckDuration(r.Silence) }},
	})
	if p.Count() > before {
		return r
	}
	if r.Name == "" {
		p.Fail(n, path, "a rule needs a name")
	}
	p.Check(n, path, r.Check())
	return r
}

// condition reads a condition: a value, a list of values, or a mapping of equals and prefix.
func (p fileReader) condition(n *yaml.Node, path, field string) alert.Condition {
	c := alert.Condition{Field: field}
	if err := alert.CheckField(field); err != nil {
		p.Fail(n, path, "%v", err)
		return c
	}
	before := p.Count()
	if n.Kind == yaml.MappingNode {
		p.Mapping(n, path, []yamlfile.Member{{Name: "equals", Into: &c.Values}, {Name: "prefix", Into: &c.Prefixes}})
	} else {
		p.Value(n, path, &c.Values)
		for _, v := range c.Values {
			if start, ok := strings.CutSuffix(v, "*"); ok {
				p.Fail(n, path, "%q is compared as it stands; write {prefix: %q}, or {equals: %q} if that is meant", v, start, v)
			}
		}
	}
	if p.Count() == before {
		p.Check(n, path, c.Check())
	}
	return c
}

func (p fileReader) rate(n *yaml.Node, path string) *alert.Rate {
	r := &alert.Rate{}
	given := p.Mapping(n, path, []yamlfile.Member{
		{Name: "count", Into: &r.Count, Check: func() error { return alert.CheckCount(r.Count) }},
		{Name: "window", Into: &r.Window, Check: func() error { return alert.CheckDuration(r.Window) }},
		{Name: "per", Into: &r.Per, Check: func() error { return alert.CheckPer(r.Per) }},
	})
	for _, name := range []string{"count", "window", "per"} {
		if given != nil && !given[name] {
			p.Fail(n, path, "%s is missing", name)
		}
	}
	return r
}

func (p fileReader) webhook(n *yaml.Node, path string) (w alert.Webhook) {
	before := p.Count()
	p.Mapping(n, path, []yamlfile.Member{
		{Name: "name", Into: &w.Name, Check: func() error { return alert.CheckName(w.Name) }},
		{Name: "url", Into: &w.URL},
		{Name: "secret_file", Into: &w.SecretFile},
		{Name: "types", Into: &w.Types},
		{Name: "rules", Into: &w.Rules},
		{Name: "timeout", Into: &w.Timeout},
		{Name: "back_off", Into: &w.BackOff},
		{Name: "max_back_off", Into: &w.MaxBackOff},
		{Name: "give_up", Into: &w.GiveUp},
		{Name: "allow_http", Into: &w.AllowHTTP},
	})
	if p.Count() == before {
		p.Check(n, path, w.Check())
	}
	return w
}
