package alert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// checkRules holds rules to their limits. Parse has done it with line numbers; rules that are made in Go come here alone.
func checkRules(rules []Rule) error {
	if len(rules) > maxRules {
		return fmt.Errorf("%d rules, more than %d", len(rules), maxRules)
	}
	names := map[string]bool{}
	for _, r := range rules {
		if err := checkName(r.Name); err != nil {
			return fmt.Errorf("rule: %w", err)
		}
		if slices.Contains(Told, r.Name) || names[r.Name] {
			return fmt.Errorf("rule %q: %w", r.Name, errTaken)
		}
		names[r.Name] = true
		if err := r.check(); err != nil {
			return fmt.Errorf("rule %q: %w", r.Name, err)
		}
	}
	return nil
}

var errTaken = errors.New("the name is taken")

// checkName: names stand in ids, keys and headers.
func checkName(name string) error {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return fmt.Errorf("name %.80q is not 1 to 64 of a-z, A-Z, 0-9, - and _", name)
	}
	return nil
}

func (r Rule) check() error {
	for _, c := range r.Match {
		if err := checkField(c.Field); err != nil {
			return err
		}
		if err := c.check(); err != nil {
			return fmt.Errorf("%s: %w", c.Field, err)
		}
	}
	switch {
	case r.Rate != nil && r.Silence != 0:
		return errors.New("a rule is about a rate or about silence, not both")
	case r.Rate != nil:
		return errors.Join(checkCount(r.Rate.Count), checkDuration(r.Rate.Window), checkPer(r.Rate.Per))
	case r.Silence != 0:
		return checkDuration(r.Silence)
	}
	if len(r.Match) == 0 {
		return errors.New("a rule without conditions matches everything; only a rate or silence may")
	}
	return nil
}

// checkField says whether a condition may name a field.
func checkField(name string) error {
	if _, ok := fields[name]; ok {
		return nil
	}
	if rest, ok := strings.CutPrefix(name, extensionPrefix); ok && rest != "" && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789") == "" {
		return nil
	}
	known := make([]string, 0, len(fields))
	for f := range fields {
		known = append(known, f)
	}
	slices.Sort(known)
	return fmt.Errorf("no such field; there are %s and %sNAME", strings.Join(known, ", "), extensionPrefix)
}

func (c Condition) check() error {
	n := len(c.Values) + len(c.Prefixes)
	if n == 0 || n > maxValues {
		return fmt.Errorf("%d values; 1 to %d are possible", n, maxValues)
	}
	if slices.Contains(c.Values, "") || slices.Contains(c.Prefixes, "") {
		return errors.New("an empty value matches nothing: fields that are absent do not match")
	}
	return nil
}

func checkCount(n int) error {
	if n < 1 || n > maxRateCount {
		return fmt.Errorf("%d is not 1 to %d", n, maxRateCount)
	}
	return nil
}

func checkDuration(d time.Duration) error {
	if d < time.Second || d > maxDuration {
		return fmt.Errorf("%s is not %s to %s", d, time.Second, maxDuration)
	}
	return nil
}

func checkPer(per string) error {
	if per != "agent" && per != "resource" {
		return fmt.Errorf("%.40q is none of agent, resource", per)
	}
	return nil
}
