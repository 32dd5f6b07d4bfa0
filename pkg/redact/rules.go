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
const Newest = 1

// Rules say what is redacted. They stand in full in the log's config entry, since they decide bytes of its leaves.
type Rules struct {
	Set     uint64    // number of the built-in set; 0: none of it
	Hash    string    // of the set, hex; "" without one
	Names   []Name    // more names whose value is a secret
	Rules   []Pattern // more forms
	Private []string  // attributes that go into the payload
}

// Name says that the value of a member, attribute or setting of this name is of a kind. The name is compared in lower case and without
// what parts words; * in front takes longer names that end with it, too.
type Name struct{ Kind, Name string }

// Pattern is a form in the syntax of RE2. Contains, if it is not empty, stands in every text that the pattern matches: it saves looking at the others.
type Pattern struct{ Kind, Match, Contains string }

// The most that rules hold, so that a config stays a leaf, and an event cheap.
const (
	maxRules   = 64
	maxMatch   = 512
	maxPrivate = 32
)

// ErrRules: these rules cannot be, or not here.
var ErrRules = errors.New("redaction rules")

// Default are the rules of a new log.
func Default() *Rules { return &Rules{Set: Newest, Hash: Hash(Newest)} }

// Hash is the hash of a built-in set, or "" if there is none of that number. It is the SHA-256 of its table as text, a line for each row.
func Hash(set uint64) string {
	if set != 1 {
		return ""
	}
	h := sha256.Sum256(describe())
	return hex.EncodeToString(h[:])
}

// describe writes set 1 as text.
func describe() []byte {
	var b []byte
	for _, s := range shapes1 {
		b = fmt.Appendf(b, "shape %s %q fold=%t body=%s %d-%d match=%s\n", s.kind, s.start, s.fold, s.body, s.least, s.most, s.match)
	}
	for _, n := range names1 {
		b = fmt.Appendf(b, "name %s %s\n", n.name, n.kind)
	}
	b = fmt.Appendf(b, "not %s\nnumeric %s\nanchors %s\ncard luhn\n", strings.Join(notNames1, " "), strings.Join(numeric1, " "), strings.Join(anchors1, " "))
	return b
}

// Equal says whether two rules are the same; nil is none.
func (r *Rules) Equal(other *Rules) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.Set == other.Set && r.Hash == other.Hash && slices.Equal(r.Names, other.Names) && slices.Equal(r.Rules, other.Rules) && slices.Equal(r.Private, other.Private)
}

// Check says what is wrong with rules, whether or not this release has their built-in set.
func (r *Rules) Check() error {
	if h, err := hex.DecodeString(r.Hash); (r.Set == 0) != (r.Hash == "") || r.Set != 0 && (err != nil || len(h) != 32 || strings.ToLower(r.Hash) != r.Hash) {
		return fmt.Errorf("%w: a set has a number and a hash", ErrRules)
	}
	if len(r.Names) > maxRules || len(r.Rules) > maxRules || len(r.Private) > maxPrivate {
		return fmt.Errorf("%w: more than %d names or patterns, or %d private fields", ErrRules, maxRules, maxPrivate)
	}
	for _, n := range r.Names {
		if !validKind(n.Kind) || !plainName(strings.TrimPrefix(n.Name, "*")) {
			return fmt.Errorf("%w: name %.80q of kind %.40q: a-z and 0-9 alone, a * in front at most", ErrRules, n.Name, n.Kind)
		}
	}
	for _, p := range r.Rules {
		if err := p.check(); err != nil {
			return fmt.Errorf("%w: pattern %.40q: %w", ErrRules, p.Kind, err)
		}
	}
	for i, name := range r.Private {
		if !plainName(name) || notPrivate(name) || slices.Contains(r.Private[:i], name) {
			return fmt.Errorf("%w: %.80q cannot be private, or is it twice", ErrRules, name)
		}
	}
	return nil
}

func (p Pattern) check() error {
	if !validKind(p.Kind) {
		return errors.New("a kind is made of a-z, 0-9 and -")
	}
	if len(p.Match) > maxMatch || len(p.Contains) > maxMatch || p.Contains != "" && len(p.Contains) < 3 {
		return fmt.Errorf("longer than %d bytes, or what it contains is shorter than 3", maxMatch)
	}
	for i := range len(p.Contains) {
		if c := p.Contains[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '/' {
			return errors.New("what it contains is ASCII without quote, slash and backslash, which JSON may write otherwise")
		}
	}
	re, err := regexp.Compile(p.Match)
	if err != nil {
		return err
	}
	if re.MatchString("") || re.MatchString(Mark(p.Kind)) {
		return errors.New("it matches nothing at all, or its own mark")
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

// notPrivate: the attributes that a log cannot do without, and those that say what the data is.
func notPrivate(name string) bool {
	switch name {
	case "id", "source", "type", "specversion", "time", "data", "datacontenttype", "dataschema", "datasalt", "redactions", "agentsignature", "agentseq", "agentprev",
		"action", "outcome":
		return true
	}
	return false
}
