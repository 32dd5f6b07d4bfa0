package alert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// CheckRules checks the limits of rules. Rules from a file were checked by package rulesfile, which
// reports line numbers. Rules made in Go are checked only here.
func CheckRules(rules []Rule) error {
	if err := CheckRuleCount(len(rules)); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, r := range rules {
		if err := CheckName(r.Name); err != nil {
			return fmt.Errorf("rule: %w", err)
		}
		if slices.Contains(AlertTypes, r.Name) || names[r.Name] {
			return fmt.Errorf("rule %q: %w", r.Name, ErrTaken)
		}
		names[r.Name] = true
		if err := r.Check(); err != nil {
			return fmt.Errorf("rule %q: %w", r.Name, err)
		}
	}
	return nil
}

// ErrTaken reports a rule or webhook with the name of another.
var ErrTaken = errors.New("the name is taken")

// CheckName checks a name, which becomes part of ids, keys and headers.
func CheckName(name string) error {
	if name == "" || len(name) > 64 ||
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return fmt.Errorf("name %.80q is not 1 to 64 of a-z, A-Z, 0-9, - and _", name)
	}
	return nil
}

// Check returns what is wrong with the rule.
func (r Rule) Check() error {
	for _, c := range r.Match {
		if err := CheckField(c.Field); err != nil {
			return err
		}
		if err := c.Check(); err != nil {
			return fmt.Errorf("%s: %w", c.Field, err)
		}
	}
	switch {
	case r.Rate != nil && r.Silence != 0:
		return errors.New("a rule is about a rate or about silence, not both")
	case r.Rate != nil:
		return errors.Join(CheckCount(r.Rate.Count), CheckDuration(r.Rate.Window), CheckPer(r.Rate.Per))
	case r.Silence != 0:
		return CheckDuration(r.Silence)
	}
	if len(r.Match) == 0 {
		return errors.New("a rule without conditions matches everything; only a rate or silence may")
	}
	return nil
}

// CheckField checks that conditions may use a field.
func CheckField(name string) error {
	if _, ok := fields[name]; ok {
		return nil
	}
	if rest, ok := strings.CutPrefix(name, extensionPrefix); ok && rest != "" &&
		strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789") == "" {
		return nil
	}
	known := make([]string, 0, len(fields))
	for f := range fields {
		known = append(known, f)
	}
	slices.Sort(known)
	return fmt.Errorf("no such field; there are %s and %sNAME", strings.Join(known, ", "), extensionPrefix)
}

// Check returns what is wrong with the condition.
func (c Condition) Check() error {
	n := len(c.Values) + len(c.Prefixes)
	if n == 0 || n > maxValues {
		return fmt.Errorf("%d values; 1 to %d are possible", n, maxValues)
	}
	if slices.Contains(c.Values, "") || slices.Contains(c.Prefixes, "") {
		return errors.New("an empty value matches nothing: fields that are absent do not match")
	}
	return nil
}

// CheckRuleCount checks the number of rules.
func CheckRuleCount(n int) error {
	if n > MaxRules {
		return fmt.Errorf("%d rules, more than %d", n, MaxRules)
	}
	return nil
}

// CheckCount checks the number of events of a rate.
func CheckCount(n int) error {
	if n < 1 || n > maxRateCount {
		return fmt.Errorf("%d is not 1 to %d", n, maxRateCount)
	}
	return nil
}

// CheckDuration checks a window or a time of silence.
func CheckDuration(d time.Duration) error {
	if d < time.Second || d > maxDuration {
		return fmt.Errorf("%s is not %s to %s", d, time.Second, maxDuration)
	}
	return nil
}

// CheckPer checks the field by which a rate counts.
func CheckPer(per string) error {
	if per != perAgent && per != "resource" {
		return fmt.Errorf("%.40q is none of agent, resource", per)
	}
	return nil
}

// File is the content of a rules file, which package rulesfile reads.
type File struct {
	Rules    []Rule
	Lag      time.Duration // as in Config
	Webhooks []Webhook     // without their secrets; see Webhook.SecretFile
}

// Sends reports whether alerts may have a rule of that name.
func (f *File) Sends(rule string) bool {
	return slices.Contains(AlertTypes, rule) || slices.Contains([]string{TypeLag, TypeFailure, TypeVoid}, rule) ||
		slices.ContainsFunc(f.Rules, func(r Rule) bool { return r.Name == rule })
}

// ErrConfig reports an invalid setting of alerts.
var ErrConfig = errors.New("invalid setting of alerts")
