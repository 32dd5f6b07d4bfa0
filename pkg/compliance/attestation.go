package compliance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Schema names the form of an attestation, which schema/attestation.schema.json describes.
const Schema = "sealstream-attestation/v1"

const statementKind = "attestation"

// Attestation is the result of evaluating the controls of a framework in a log, under one
// checkpoint. It contains everything that is needed to check it offline.
type Attestation struct {
	Schema           string    `json:"schema"`                  // Schema
	Framework        string    `json:"framework"`               // id of the framework
	FrameworkTitle   string    `json:"framework_title"`         // title of the framework
	FrameworkVersion string    `json:"framework_version"`       // version of the framework
	Badge            string    `json:"badge"`                   // short text for people
	Passed           bool      `json:"passed"`                  // whether the log verified and all controls that apply passed
	CoveragePct      int       `json:"coverage_pct"`            // passed controls of those that apply, in %, rounded down
	ControlsPassed   int       `json:"controls_passed"`         // number of controls that passed
	ControlsTotal    int       `json:"controls_total"`          // number of controls that apply
	NotApplicable    int       `json:"controls_not_applicable"` // number of controls that do not apply
	Window           Window    `json:"window"`                  // when the entries were received
	TreeSize         uint64    `json:"tree_size"`               // size of the checkpoint's tree
	Checkpoint       string    `json:"checkpoint"`              // the signed note
	LogValid         bool      `json:"log_valid"`               // whether the whole log verified at the query service
	LogError         string    `json:"log_error,omitempty"`     // what failed to verify there
	Version          string    `json:"version"`                 // version of the program that made the attestation
	Platform         string    `json:"platform"`                // operating system and architecture of that program
	Controls         []Finding `json:"controls"`                // one per control, in the framework's order
	Proofs           []Proof   `json:"proofs"`                  // one per cited entry, in ascending order
	Hash             string    `json:"attestation_hash"`        // SHA-256 of the rest, in hex
	Signature        string    `json:"signature"`               // signed note over the rest; empty if not signed
}

// Proof proves one entry under the attestation's checkpoint.
type Proof struct {
	Index       uint64     `json:"leaf_index"`   // index of the entry
	Leaf        string     `json:"leaf"`         // bytes of the leaf
	MerkleProof proof.Path `json:"merkle_proof"` // from the leaf to the checkpoint's root
}

// ErrAttestation is wrapped by every error of an attestation that does not hold.
var ErrAttestation = errors.New("attestation does not hold")

// document is what is hashed and signed: the canonical JSON (RFC 8785) without hash and signature.
func (a Attestation) document() ([]byte, error) {
	a.Hash, a.Signature = "", ""
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return canonical.Canonicalize(raw)
}

// Sign sets the attestation's hash and, if s is not nil, its signature.
func (a *Attestation) Sign(s *proof.Signer) error {
	document, err := a.document()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(document)
	if a.Hash = hex.EncodeToString(sum[:]); s == nil {
		a.Signature = ""
		return nil
	}
	a.Signature, err = s.SignStatement(statementKind, document)
	return err
}

// ParseAttestation reads an attestation without checking it. Every error wraps ErrAttestation.
func ParseAttestation(raw []byte) (a Attestation, err error) {
	if err := canonical.CheckJSON(raw, 16); err != nil {
		return a, fmt.Errorf("%w: %w", ErrAttestation, err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, fmt.Errorf("%w: %w", ErrAttestation, err)
	}
	if err := asRead(raw, a); err != nil {
		return a, fmt.Errorf("%w: %w", ErrAttestation, err)
	}
	if a.Schema != Schema {
		return a, fmt.Errorf("%w: schema %.60q, not %s", ErrAttestation, a.Schema, Schema)
	}
	return a, nil
}

// asRead refuses JSON that other readers read otherwise: encoding/json accepts Passed for passed,
// and a missing member as its zero value.
func asRead(raw []byte, a Attestation) error {
	read, err := json.Marshal(a)
	if err != nil {
		return err
	}
	here, err := canonical.Canonicalize(read)
	if err != nil {
		return err
	}
	there, err := canonical.Canonicalize(raw)
	if err != nil {
		return err
	}
	if !bytes.Equal(here, there) {
		return errors.New("members are misspelt or missing")
	}
	return nil
}

// Check checks an attestation offline: its hash, signature and checkpoint under the log's keys;
// every proof; that every cited entry is what it is cited for; that verdicts and totals follow from
// them; and that a built-in framework's controls are those of that framework. It cannot check what
// the query service counted, that is, that there are no other negative entries. Every error wraps
// ErrAttestation.
func (a Attestation) Check(vkeys ...string) error {
	document, err := a.document()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAttestation, err)
	}
	if sum := sha256.Sum256(document); hex.EncodeToString(sum[:]) != a.Hash {
		return fmt.Errorf("%w: attestation_hash is not that of its content", ErrAttestation)
	}
	if a.Signature == "" {
		return fmt.Errorf("%w: it is not signed", ErrAttestation)
	}
	if _, err := proof.OpenStatement(a.Signature, statementKind, document, vkeys...); err != nil {
		return fmt.Errorf("%w: %w", ErrAttestation, err)
	}
	if err := a.checkContent(vkeys); err != nil {
		return fmt.Errorf("%w: %w", ErrAttestation, err)
	}
	return nil
}

// checkContent checks everything but hash and signature.
func (a Attestation) checkContent(vkeys []string) error {
	cp, err := proof.OpenCheckpoint([]byte(a.Checkpoint), vkeys...)
	if err != nil {
		return err
	}
	if cp.Size != a.TreeSize {
		return errors.New("tree_size is not that of the checkpoint")
	}
	cited := map[uint64]entry.Entry{}
	for _, p := range a.Proofs {
		e, err := p.check(cp)
		if err != nil {
			return fmt.Errorf("proof of index %d: %w", p.Index, err)
		}
		cited[p.Index] = e
	}
	for i := range a.Controls {
		f := a.Controls[i]
		if err := f.check(a.Framework, a.Window, a.TreeSize, cited); err != nil {
			return fmt.Errorf("control %s: %w", f.ID, err)
		}
		if verdict, reasons := f.judge(cited); verdict != f.Verdict || !reflect.DeepEqual(reasons, f.Reasons) {
			return fmt.Errorf(
				"control %s: the verdict %s does not follow from what is cited: that is %s",
				f.ID,
				f.Verdict,
				verdict,
			)
		}
	}
	if err := a.checkFramework(); err != nil {
		return err
	}
	b := a
	b.total()
	if b.Passed != a.Passed || b.CoveragePct != a.CoveragePct || b.ControlsPassed != a.ControlsPassed ||
		b.ControlsTotal != a.ControlsTotal ||
		b.NotApplicable != a.NotApplicable {
		return errors.New("the totals do not follow from the controls")
	}
	return nil
}

func (p Proof) check(cp proof.Checkpoint) (entry.Entry, error) {
	e, err := entry.ParseEntry([]byte(p.Leaf))
	if err != nil {
		return e, err
	}
	if e.Index != p.Index {
		return e, fmt.Errorf("the leaf is of index %d", e.Index)
	}
	return e, proof.CheckInclusion(entry.LeafHash(e.Leaf), p.Index, cp.Size, p.MerkleProof, cp.Root)
}

// checkFramework checks that the controls are those of the framework that they name, if it is built
// in.
func (a Attestation) checkFramework() error {
	f, err := BuiltIn(a.Framework)
	if err != nil { // one of the user's own: what it asks for stands in the attestation
		return a.checkOwn()
	}
	if f.Version != a.FrameworkVersion || f.Title != a.FrameworkTitle || f.Badge != a.Badge ||
		len(f.Controls) != len(a.Controls) {
		return fmt.Errorf("it is not of the framework %s %s that is built in here", f.ID, f.Version)
	}
	for i, c := range f.Controls {
		asked := newFinding(c)
		of := a.Controls[i]
		same := asked.ID == of.ID && asked.Name == of.Name && asked.Component == of.Component &&
			asked.Remedy == of.Remedy &&
			len(asked.Evidence) == len(of.Evidence) && len(asked.Negative) == len(of.Negative)
		for j := 0; same && j < len(of.Evidence); j++ {
			same = reflect.DeepEqual(asked.Evidence[j].asked(), of.Evidence[j].asked())
		}
		for j := 0; same && j < len(of.Negative); j++ {
			same = reflect.DeepEqual(asked.Negative[j].asked(), of.Negative[j].asked())
		}
		if !same {
			return fmt.Errorf("control %s asks for something else than that of %s", of.ID, f.ID)
		}
	}
	return nil
}

// BuiltIn reports whether the framework is built into this program. If it is not, read the
// framework before you rely on the attestation: its author chose what counts as evidence.
func (a Attestation) BuiltIn() bool {
	_, err := BuiltIn(a.Framework)
	return err == nil
}

// checkOwn holds what stands in the attestation to what ParseFramework holds a file to, or a
// control that asks for nothing would be one that passes.
func (a Attestation) checkOwn() error {
	own := Framework{ID: a.Framework, Title: a.FrameworkTitle, Version: a.FrameworkVersion, Badge: a.Badge}
	for _, f := range a.Controls {
		c := Control{ID: f.ID, Name: f.Name, Component: f.Component, Remedy: f.Remedy}
		for _, e := range f.Evidence {
			if e.Agents < 1 || e.AtLeast < e.Agents {
				return fmt.Errorf("control %s asks for %d entries of %d agents", f.ID, e.AtLeast, e.Agents)
			}
			c.Evidence = append(c.Evidence, Evidence{e.What, e.Filter, e.AtLeast, e.Agents})
		}
		for _, n := range f.Negative {
			x := Negative{What: n.What, Filter: n.Filter}
			if n.Handled != nil {
				x.Handling = &Handling{*n.Handled, n.Same}
			}
			c.Negative = append(c.Negative, x)
		}
		own.Controls = append(own.Controls, c)
	}
	return own.check()
}

// total counts the verdicts.
func (a *Attestation) total() {
	a.ControlsPassed, a.ControlsTotal, a.NotApplicable = 0, 0, 0
	for _, c := range a.Controls {
		switch c.Verdict {
		case NotApplicableVerdict:
			a.NotApplicable++
			continue
		case Pass:
			a.ControlsPassed++
		}
		a.ControlsTotal++
	}
	a.CoveragePct = coverage(a.ControlsPassed, a.ControlsTotal)
	a.Passed = a.LogValid && a.ControlsTotal > 0 && a.ControlsPassed == a.ControlsTotal
}

// coverage returns a percentage, rounded down. It is 0 if the total is.
func coverage(passed, total int) int {
	if total == 0 {
		return 0
	}
	return passed * 100 / total
}
