package proof

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ErrPolicy is wrapped by every error of a policy file.
var ErrPolicy = errors.New("not a witness policy")

// Policy is a c2sp.org/tlog-policy: which logs are meant, and which of their checkpoints have enough cosignatures.
type Policy struct {
	Logs      []PolicyLog // as listed; may be none
	Witnesses []PolicyWitness
	Quorum    string // name of a witness or a group, or "none"

	groups map[string]group
}

// PolicyLog is a log of a policy.
type PolicyLog struct {
	VKey string
	URL  string // "": not told
}

// PolicyWitness is a witness of a policy.
type PolicyWitness struct {
	Name string // within the policy
	VKey string
	URL  string // submission prefix; "": not told

	key *cosignerKey
}

// KeyName is the name that the witness signs under.
func (w PolicyWitness) KeyName() string { return w.key.name }

// made says whether a cosignature is this witness's. Two keys may share a name.
func (w PolicyWitness) made(c Cosignature) bool { return c.Name == w.key.name && c.id == w.key.id }

// group is met when so many of its members are.
type group struct {
	need    int
	members []string
}

// Limits of a policy file: what the format recommends to support, and room.
const (
	maxPolicyBytes = 256 << 10
	maxPolicyNames = 256 // logs, witnesses and groups
)

// ParsePolicy reads a policy file. Witnesses must have Ed25519 keys.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > maxPolicyBytes {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrPolicy, len(text))
	}
	if i := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }); i >= 0 {
		return nil, fmt.Errorf("%w: control character at byte %d", ErrPolicy, i)
	}
	p := &policyParser{Policy: &Policy{groups: map[string]group{}}, used: map[string]bool{}, keys: map[string]bool{}}
	for i, line := range strings.Split(string(text), "\n") {
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := p.line(words); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrPolicy, i+1, err)
		}
		if len(p.Logs)+len(p.Witnesses)+len(p.groups) > maxPolicyNames {
			return nil, fmt.Errorf("%w: more than %d logs, witnesses and groups", ErrPolicy, maxPolicyNames)
		}
	}
	if p.Quorum == "" {
		return nil, fmt.Errorf("%w: it has no quorum line", ErrPolicy)
	}
	return p.Policy, nil
}

type policyParser struct {
	*Policy
	used map[string]bool // names that are members of a group: each may be in one
	keys map[string]bool // public keys
}

func (p *policyParser) line(words []string) error {
	switch args := words[1:]; words[0] {
	case "log":
		return p.log(args)
	case "witness":
		return p.witness(args)
	case "group":
		return p.group(args)
	case "quorum":
		switch {
		case len(args) != 1:
			return errors.New("quorum NAME")
		case p.Quorum != "":
			return errors.New("a second quorum")
		case args[0] != "none" && !p.defined(args[0]):
			return fmt.Errorf("%.80q is not defined before", args[0])
		}
		p.Quorum = args[0]
		return nil
	}
	return fmt.Errorf("%.80q is none of log, witness, group, quorum", words[0])
}

func (p *policyParser) log(args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New("log VKEY [URL]")
	}
	if err := CheckKey(args[0]); err != nil {
		return err
	}
	if err := p.fresh(args[0]); err != nil {
		return err
	}
	p.Logs = append(p.Logs, PolicyLog{args[0], strings.Join(args[1:], "")})
	return nil
}

// fresh: two keys with the same public key are one, whatever their names. A log's key and a witness's must differ too.
func (p *policyParser) fresh(vkey string) error {
	raw, err := base64.StdEncoding.DecodeString(vkey[strings.LastIndexByte(vkey[:strings.IndexByte(vkey, '+')+10], '+')+1:])
	if err != nil || len(raw) < 2 {
		return errors.New("malformed key")
	}
	public := string(raw[1:])
	if p.keys[public] {
		return errors.New("the same public key a second time")
	}
	p.keys[public] = true
	return nil
}

func (p *policyParser) witness(args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errors.New("witness NAME VKEY [URL]")
	}
	if err := p.free(args[0]); err != nil {
		return err
	}
	key, err := parseCosignerKey(args[1])
	if err != nil {
		return err
	}
	if err := p.fresh(args[1]); err != nil {
		return err
	}
	p.Witnesses = append(p.Witnesses, PolicyWitness{args[0], args[1], strings.Join(args[2:], ""), key})
	return nil
}

func (p *policyParser) group(args []string) error {
	if len(args) < 3 {
		return errors.New("group NAME all|any|K MEMBER…")
	}
	if err := p.free(args[0]); err != nil {
		return err
	}
	g := group{members: args[2:]}
	for _, m := range g.members {
		switch {
		case !p.defined(m):
			return fmt.Errorf("%.80q is not defined before", m)
		case p.used[m]:
			return fmt.Errorf("%.80q is in a group already", m)
		}
		p.used[m] = true
	}
	switch n := len(g.members); args[1] {
	case "all":
		g.need = n
	case "any":
		g.need = 1
	default:
		k, err := strconv.Atoi(args[1])
		if err != nil || strconv.Itoa(k) != args[1] || k < 1 || k > n {
			return fmt.Errorf("%.20q is none of all, any and 1 to %d", args[1], n)
		}
		g.need = k
	}
	p.groups[args[0]] = g
	return nil
}

func (p *policyParser) free(name string) error {
	if name == "none" || p.defined(name) {
		return fmt.Errorf("the name %.80q is taken", name)
	}
	return nil
}

func (p *Policy) defined(name string) bool {
	_, ok := p.groups[name]
	return ok || slices.ContainsFunc(p.Witnesses, func(w PolicyWitness) bool { return w.Name == name })
}

// LogKeys are the verifier keys of the policy's logs.
func (p *Policy) LogKeys() []string {
	keys := make([]string, len(p.Logs))
	for i, l := range p.Logs {
		keys[i] = l.VKey
	}
	return keys
}

// Cosigned is who of a policy's witnesses has cosigned a checkpoint, and whether they are enough.
type Cosigned struct {
	By     []Cosignature
	Quorum bool
}

// Time is when a witness cosigned; false: it has not.
func (c Cosigned) Time(w PolicyWitness) (uint64, bool) {
	if i := slices.IndexFunc(c.By, w.made); i >= 0 {
		return c.By[i].Time, true
	}
	return 0, false
}

// Cosigned checks the cosignatures on a note; the log's own signature is OpenCheckpoint's matter. Those of others are ignored; one of a
// witness that is wrong is an error.
func (p *Policy) Cosigned(signed []byte) (Cosigned, error) {
	by, err := cosignatures(signed, p.verifiers())
	if err != nil {
		return Cosigned{}, err
	}
	c := Cosigned{By: by}
	c.Quorum = p.Quorum == "none" || p.met(p.Quorum, by)
	return c, nil
}

func (p *Policy) verifiers() []note.Verifier {
	list := make([]note.Verifier, len(p.Witnesses))
	for i, w := range p.Witnesses {
		list[i] = w.key
	}
	return list
}

func (p *Policy) met(name string, by []Cosignature) bool {
	if g, ok := p.groups[name]; ok {
		n := 0
		for _, m := range g.members {
			if p.met(m, by) {
				n++
			}
		}
		return n >= g.need
	}
	for _, w := range p.Witnesses {
		if w.Name == name {
			return slices.ContainsFunc(by, w.made)
		}
	}
	return false
}

// AddCosignatures appends to a signed note those of the signature lines that are valid ones of the policy's witnesses, and not in it yet. Everything
// else in lines is left out: a witness may send what others cannot read.
func (p *Policy) AddCosignatures(signed, lines []byte) (cosigned []byte, added int) {
	cosigned = slices.Clone(signed)
	end := bytes.LastIndex(signed, []byte("\n\n"))
	if end < 0 {
		return cosigned, 0
	}
	have, err := cosignatures(signed, p.verifiers())
	if err != nil {
		return cosigned, 0
	}
	for line := range bytes.Lines(lines) {
		candidate := slices.Concat(signed[:end+2], line)
		by, err := cosignatures(candidate, p.verifiers())
		if err != nil || len(by) != 1 || slices.ContainsFunc(have, by[0].sameKey) || len(cosigned)+len(line) > maxNote {
			continue
		}
		have, cosigned, added = append(have, by[0]), append(cosigned, line...), added+1
	}
	return cosigned, added
}
