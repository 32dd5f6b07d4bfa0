package redact

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Newest is the number of the newest built-in set.
const Newest = 2

// Rules define what is redacted. The log's config entry contains them in full, since they decide
// bytes of its leaves.
type Rules struct {
	Set     uint64    // number of the built-in set; 0 means none
	Hash    string    // hash of the set, hex; empty without a set
	Names   []Name    // additional names whose value is a secret
	Rules   []Pattern // additional forms of secrets
	Private []string  // attributes that are stored in the payload instead of the leaf
}

// Name declares that the value of a member, attribute or setting of this name is a secret of a
// kind. Names are compared in lower case and without separators. A leading * also matches longer
// names with that suffix.
type Name struct{ Kind, Name string }

// Pattern is a form of secret in the syntax of RE2. Contains is optional: a text that every match
// contains, so that other texts are skipped.
type Pattern struct{ Kind, Match, Contains string }

// Limits of rules, so that a config fits into a leaf and redaction stays cheap.
const (
	maxRules   = 64
	maxMatch   = 512
	maxPrivate = 32
)

// ErrRules reports rules that are invalid, or unknown to this release.
var ErrRules = errors.New("redaction rules")

// Default returns the rules of a new log.
func Default() *Rules { return &Rules{Set: Newest, Hash: Hash(Newest)} }

// Hash returns the hash of a built-in set, or "" if there is none of that number: the SHA-256 of
// its table as text, with one line for each row.
func Hash(set uint64) string {
	switch set {
	case 1:
		return hashOf(describe())
	case 2:
		return hashOf(describe2())
	}
	return ""
}

func hashOf(table []byte) string {
	h := sha256.Sum256(table)
	return hex.EncodeToString(h[:])
}

// describe returns set 1 as text.
func describe() []byte {
	var b []byte
	for _, s := range shapes1 {
		b = fmt.Appendf(b, "shape %s %q fold=%t body=%s %d-%d match=%s\n", s.kind, s.start, s.fold, s.body, s.least,
			s.most, s.match)
	}
	for _, n := range names1 {
		b = fmt.Appendf(b, "name %s %s\n", n.name, n.kind)
	}
	b = fmt.Appendf(b, "not %s\nnumeric %s\nanchors %s\ncard luhn\n", strings.Join(notNames1, " "),
		strings.Join(numeric1, " "), strings.Join(anchors1, " "))
	return b
}

// Equal reports whether two rules are the same. Nil means no rules.
func (r *Rules) Equal(other *Rules) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.Set == other.Set && r.Hash == other.Hash && slices.Equal(r.Names, other.Names) &&
		slices.Equal(r.Rules, other.Rules) &&
		slices.Equal(r.Private, other.Private)
}

func (r *Rules) clone() Rules {
	c := *r
	c.Names, c.Rules, c.Private = slices.Clone(r.Names), slices.Clone(r.Rules), slices.Clone(r.Private)
	return c
}

// Check checks the form of rules, whether or not this release has their built-in set. The error
// wraps ErrRules.
func (r *Rules) Check() error {
	if h, err := hex.DecodeString(r.Hash); (r.Set == 0) != (r.Hash == "") ||
		r.Set != 0 && (err != nil || len(h) != 32 || strings.ToLower(r.Hash) != r.Hash) {
		return fmt.Errorf("%w: a set needs a number and a hash", ErrRules)
	}
	if len(r.Names) > maxRules || len(r.Rules) > maxRules || len(r.Private) > maxPrivate {
		return fmt.Errorf("%w: more than %d names or patterns, or %d private fields", ErrRules, maxRules, maxPrivate)
	}
	for _, n := range r.Names {
		if !validKind(n.Kind) || !plainName(strings.TrimPrefix(n.Name, "*")) {
			return fmt.Errorf("%w: name %.80q of kind %.40q: only a-z and 0-9 are allowed, and a leading *", ErrRules, n.Name,
				n.Kind)
		}
	}
	for _, p := range r.Rules {
		if err := p.check(); err != nil {
			return fmt.Errorf("%w: pattern %.40q: %w", ErrRules, p.Kind, err)
		}
	}
	for i, name := range r.Private {
		if !plainName(name) || notPrivate(name) || slices.Contains(r.Private[:i], name) {
			return fmt.Errorf("%w: %.80q cannot be private, or is listed twice", ErrRules, name)
		}
	}
	return nil
}

func (p Pattern) check() error {
	if !validKind(p.Kind) {
		return errors.New("a kind may only have a-z, 0-9 and -")
	}
	if len(p.Match) > maxMatch || len(p.Contains) > maxMatch || p.Contains != "" && len(p.Contains) < 3 {
		return fmt.Errorf("longer than %d bytes, or contains is shorter than 3", maxMatch)
	}
	for i := range len(p.Contains) {
		if c := p.Contains[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '/' {
			return errors.New("contains must be ASCII without quote, slash and backslash, which JSON may escape")
		}
	}
	re, err := regexp.Compile(p.Match)
	if err != nil {
		return err
	}
	if re.MatchString("") || re.MatchString(Mark(p.Kind)) {
		return errors.New("it matches the empty text or its own mark")
	}
	return nil
}

func plainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && !isDigit(c) {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}

// notPrivate reports whether a log needs an attribute in its leaves, or the attribute describes the
// data.
func notPrivate(name string) bool {
	switch name {
	case "id", "source", "type", "specversion", "time",
		"data", "datacontenttype", "dataschema", "datasalt", "redactions",
		"agentsignature", "agentseq", "agentprev", "action", "outcome":
		return true
	}
	return false
}
