package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/compliance"
	"github.com/sealstream/sealstream/pkg/node"
	"github.com/sealstream/sealstream/pkg/proof"
)

type complianceCmd struct {
	Verify complianceVerifyCmd `cmd:"" help:"Look in the log for evidence of a framework's controls."`
	Check  complianceCheckCmd  `cmd:"" help:"Check an attestation offline."`
}

// evidenceFlags say where evidence is looked for, and who answers for what is found.
type evidenceFlags struct {
	Framework string `help:"Framework: ${frameworks}, or a YAML file of your own." default:"owasp-asi-2026" placeholder:"NAME|FILE"`
	Key       string `help:"The log's public key, or its file. Without it, that which the server names: the log proves to be one, but not whose." placeholder:"KEY|FILE"`
	Sign      string `help:"The log's signing key (log.key): the attestation is signed with it." type:"path" placeholder:"FILE"`
	Debug     bool   `help:"Show what went wrong inside."`
}

// verifier reads the flags. What is wrong with them is wrong use.
func (c *evidenceFlags) verifier(a *app, w compliance.Window) (v compliance.Verifier, err error) {
	v = compliance.Verifier{Source: compliance.API{Base: a.server, Log: a.log, Client: httpClient}, Window: w, Version: version()}
	if slices.Contains(compliance.Frameworks(), c.Framework) {
		v.Framework, err = compliance.BuiltIn(c.Framework)
	} else if text, readErr := os.ReadFile(c.Framework); readErr != nil {
		err = fmt.Errorf("--framework %q is none of %s, and no file", c.Framework, strings.Join(compliance.Frameworks(), ", "))
	} else {
		v.Framework, err = compliance.ParseFramework(text)
	}
	if err == nil {
		v.Keys, err = readKeys(c.Key)
	}
	if err == nil && c.Sign != "" {
		v.Signer, err = node.LoadSigner(c.Sign)
	}
	return v, err
}

// trustKeys takes the server's own keys where none were given, and says so.
func trustKeys(a *app, v *compliance.Verifier) error {
	if len(v.Keys) > 0 {
		return nil
	}
	h, err := v.Source.Health(a.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.err, "sealstream: no --key: the log is checked with the keys that the server names, and so proves to be one, but not whose")
	v.Keys = h.Keys
	return nil
}

// wrongUse is what --json says of flags and files that cannot be; internal is what it says of everything else that went wrong.
func (a *app) wrongUse(err error) error {
	if err == nil || !a.json {
		return err
	}
	a.print(jsonError{"error", err.Error(), "ValidationError"})
	return shown{err}
}

func (a *app) internal(err error, debug bool) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, compliance.ErrSigner) {
		return a.wrongUse(fmt.Errorf("--sign: %w", err))
	}
	if a.json {
		if debug {
			fmt.Fprintf(a.err, "sealstream: %s\n", plain(err.Error()))
		}
		a.print(jsonError{"error", "Audit log processing failed", "InternalError"})
		return shown{fmt.Errorf("%w: %w", errFailed, err)}
	}
	return fmt.Errorf("%w: %w", failed("no verdict"), err)
}

// jsonError is an error in --json. It tells of nothing inside.
type jsonError struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Type    string `json:"type"`
}

type complianceVerifyCmd struct {
	evidenceFlags
	Window string `help:"How far back, such as 30d, 12h or all." default:"30d"`
	Badge  bool   `help:"Print a Markdown badge alone."`
	Out    string `help:"File to write the attestation to." short:"o" type:"path" placeholder:"FILE"`
	Report string `help:"File to write a report of the window to, as HTML." type:"path" placeholder:"FILE.html"`
}

func (*complianceVerifyCmd) Help() string {
	return `A control passes if its component is declared and entries of the log, each proven, are the evidence that it asks for. That is evidence for it, and no statement that
anybody complies. Exit status: 0 every control that applies passes, 1 one does not, 2 wrong use.

Examples:
  sealstream compliance verify --key sealstream-data/log.pub --sign sealstream-data/log.key -o attestation.json
  sealstream compliance verify --framework agt-legacy --window all --badge`
}

// Run evaluates the framework and prints what was found.
func (c *complianceVerifyCmd) Run(a *app) error {
	span, err := parseSpan(c.Window)
	if err != nil {
		return a.wrongUse(err)
	}
	now := time.Now()
	v, err := c.verifier(a, compliance.WindowOf(now, span))
	if err != nil {
		return a.wrongUse(err)
	}
	if err := trustKeys(a, &v); err != nil {
		return a.internal(err, c.Debug)
	}
	var att compliance.Attestation
	if c.Report != "" {
		r, err := v.Report(a.ctx, now)
		if err != nil {
			return a.internal(err, c.Debug)
		}
		if err := writeReport(c.Report, r.HTML); err != nil {
			return a.internal(err, c.Debug)
		}
		att = r.Attestation
	} else if att, err = v.Verify(a.ctx); err != nil {
		return a.internal(err, c.Debug)
	}
	if c.Out != "" {
		raw, err := json.MarshalIndent(att, "", "  ")
		if err == nil {
			err = os.WriteFile(c.Out, append(raw, '\n'), 0o644)
		}
		if err != nil {
			return a.internal(err, c.Debug)
		}
	}
	switch {
	case c.Badge:
		fmt.Fprintln(a.out, att.BadgeMarkdown())
	case a.json:
		err = a.print(att)
	default:
		err = att.Summary(a.out)
	}
	if err == nil && !att.Passed {
		err = shown{failed("%d of %d controls", att.ControlsPassed, att.ControlsTotal)}
	}
	return err
}

// parseSpan reads a number of days, or a duration of Go; all is 0.
func parseSpan(s string) (time.Duration, error) {
	if s == "all" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil && n > 0 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("--window %.40q is no span such as 30d, 12h or all", s)
	}
	return d, nil
}

type complianceCheckCmd struct {
	Attestation string `arg:"" help:"File that compliance verify wrote." type:"path" placeholder:"FILE"`
	Key         string `help:"The log's public key, or its file." required:"" placeholder:"KEY|FILE"`
}

func (*complianceCheckCmd) Help() string {
	return "Example:\n  sealstream compliance check attestation.json --key log.pub"
}

// Run checks signature, proofs and verdicts.
func (c *complianceCheckCmd) Run(a *app) error {
	keys, err := readKeys(c.Key)
	if err == nil && len(keys) == 0 {
		err = errors.New("--key is empty")
	}
	if err != nil {
		return a.wrongUse(err)
	}
	raw, err := os.ReadFile(c.Attestation)
	if err != nil {
		return a.wrongUse(err)
	}
	att, err := compliance.ParseAttestation(raw)
	if err == nil {
		err = att.Check(keys...)
	}
	if err != nil {
		if a.json {
			a.print(map[string]any{"valid": false, "error": err.Error()})
			return shown{failed("%v", err)}
		}
		return failed("%v", err)
	}
	cp, err := proof.OpenCheckpoint([]byte(att.Checkpoint), keys...)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"valid": true, "framework": att.Framework, "passed": att.Passed, "controls_passed": att.ControlsPassed, "controls_total": att.ControlsTotal,
			"proofs": len(att.Proofs), "tree_size": cp.Size, "attestation_hash": att.Hash, "window": att.Window, "built_in": att.BuiltIn(), "log_valid": att.LogValid})
	}
	own := ""
	if !att.BuiltIn() {
		own = " (framework " + plain(att.Framework) + ", which is not built in)"
	}
	_, err = fmt.Fprintf(a.out, "OK: %s%s, evidence for %d of %d controls in %s at size %d; %d entries proven\n%s\n", plain(att.FrameworkTitle), own, att.ControlsPassed, att.ControlsTotal, plain(cp.Origin), cp.Size, len(att.Proofs), att.Window)
	return err
}

type componentCmd struct {
	Declare componentDeclareCmd `cmd:"" help:"Record that a component is in use, or that a control does not apply."`
}

type componentDeclareCmd struct {
	Agent         string `help:"Who declares it." required:"" placeholder:"DID"`
	Name          string `help:"Component, as the framework names it." placeholder:"NAME"`
	Ver           string `help:"Its version." name:"component-version" placeholder:"V"`
	Digest        string `help:"Of what is in use, such as sha256:HEX." placeholder:"ALGORITHM:HEX"`
	NotApplicable string `help:"Record instead that this control does not apply." placeholder:"CONTROL"`
	Framework     string `help:"With --not-applicable: the control's framework." default:"owasp-asi-2026"`
	Reason        string `help:"With --not-applicable: why."`
}

func (*componentDeclareCmd) Help() string {
	return `A declaration alone never passes a control.

Examples:
  sealstream component declare --agent did:web:ops.example.com --name AgentIdentity --component-version 1.2 --digest sha256:$(sha256sum < agent-identity | cut -d' ' -f1)
  sealstream component declare --agent did:web:ops.example.com --not-applicable ASI06 --reason 'agents have no memory'`
}

// Run records the declaration, and waits until it is sealed.
func (c *componentDeclareCmd) Run(a *app) error {
	if (c.Name == "") == (c.NotApplicable == "") {
		return errors.New("component declare: either --name or --not-applicable is required")
	}
	ev, err := compliance.Declaration{Agent: c.Agent, Name: c.Name, Version: c.Ver, Digest: c.Digest}.Event()
	if c.NotApplicable != "" {
		ev, err = compliance.NotApplicable{Agent: c.Agent, Framework: c.Framework, Control: c.NotApplicable, Reason: c.Reason}.Event()
	}
	if err != nil {
		return err
	}
	receipts, err := a.record("application/cloudevents+json", ev.AppendJSON(nil), "sealed")
	if err != nil {
		return err
	}
	if len(receipts) != 1 || receipts[0].Status != "sealed" || receipts[0].Index == nil {
		return failed("it was not sealed: %+v", receipts)
	}
	if a.json {
		return a.print(receipts[0])
	}
	_, err = fmt.Fprintf(a.out, "sealed  index %d  id %s\n", *receipts[0].Index, receipts[0].EntryID)
	return err
}
