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

	"github.com/sealstream/sealstream/internal/cosign"
)

// errPolicy is wrapped by every error of a policy file.
var errPolicy = errors.New("not a witness policy")

// Policy says which cosignatures a checkpoint needs (c2sp.org/tlog-policy). Make it with
// ParsePolicy.
type Policy struct {
	Witnesses []PolicyWitness
	Quorum    string // name of a witness or a group, or "none"

	logs   []string // verifier keys, as listed; may be none
	groups map[string]group
}

// PolicyWitness is a witness of a policy.
type PolicyWitness struct {
	Name string // name within the policy
	VKey string // verifier key
	URL  string // submission prefix; empty if the policy names none

	key *cosign.Key
}

// KeyName returns the name under which the witness signs.
func (w PolicyWitness) KeyName() string { return w.key.Name() }

// made reports whether a cosignature is this witness's. Two keys may share a name.
func (w PolicyWitness) made(c Cosignature) bool {
	return c.Name == w.key.Name() && c.id == w.key.KeyHash()
}

// group is met if at least need of its members are.
type group struct {
	need    int
	members []string
}

// Limits of a policy file: what the format recommends to support, and room.
const (
	maxPolicyBytes = 256 << 10
	maxPolicyNames = 256 // logs, witnesses and groups
)

// ParsePolicy reads a policy file (c2sp.org/tlog-policy). Witnesses must have Ed25519 keys.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > maxPolicyBytes {
		return nil, fmt.Errorf("%w: it has %d bytes", errPolicy, len(text))
	}
	if i := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }); i >= 0 {
		return nil, fmt.Errorf("%w: control character at byte %d", errPolicy, i)
	}
	p := &policyParser{Policy: &Policy{groups: map[string]group{}}, used: map[string]bool{}, keys: map[string]bool{}}
	for i, line := range strings.Split(string(text), "\n") {
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := p.line(words); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", errPolicy, i+1, err)
		}
		if len(p.logs)+len(p.Witnesses)+len(p.groups) > maxPolicyNames {
			return nil, fmt.Errorf("%w: more than %d logs, witnesses and groups", errPolicy, maxPolicyNames)
		}
	}
	if p.Quorum == "" {
		return nil, fmt.Errorf("%w: it has no quorum line", errPolicy)
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
	p.logs = append(p.logs, args[0])
	return nil
}

// fresh: two keys with the same public key are one, whatever their names. A log's key and a
// witness's must differ too.
func (p *policyParser) fresh(vkey string) error {
	raw, err := base64.StdEncoding.DecodeString(
		vkey[strings.LastIndexByte(vkey[:strings.IndexByte(vkey, '+')+10], '+')+1:],
	)
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
	key, err := cosign.ParseKey(args[1])
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

// LogKeys returns the verifier keys of the policy's logs, as listed. There may be none.
func (p *Policy) LogKeys() []string { return slices.Clone(p.logs) }

// Cosigned tells which of a policy's witnesses have cosigned a checkpoint.
type Cosigned struct {
	By     []Cosignature // the valid cosignatures, in the order of the note
	Quorum bool          // whether they meet the policy's quorum
}

// Time returns when a witness cosigned, in POSIX seconds. ok is false if it has not.
func (c Cosigned) Time(w PolicyWitness) (uint64, bool) {
	if i := slices.IndexFunc(c.By, w.made); i >= 0 {
		return c.By[i].Time, true
	}
	return 0, false
}

// Cosigned verifies the cosignatures on a note. Signatures by others than the policy's witnesses
// are ignored. A wrong cosignature of one of the witnesses is an error. It does not verify the
// log's own signature, which OpenCheckpoint does.
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

// AddCosignatures appends signature lines to a signed note. It appends only valid cosignatures of
// the policy's witnesses that the note does not have yet, and drops all other lines. It returns the
// note and the number of lines that it appended.
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
