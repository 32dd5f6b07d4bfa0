package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/compliance"
	"github.com/sealstream/sealstream/pkg/compliance/online"
	"github.com/sealstream/sealstream/pkg/proof"
)

type complianceCmd struct {
	Verify complianceVerifyCmd `cmd:"" help:"Look in the log for evidence of a framework's controls."`
	Check  complianceCheckCmd  `cmd:"" help:"Check an attestation offline."`
}

// evidenceFlags select the framework, and the keys that check and sign the evidence.
type evidenceFlags struct {
	Framework string `help:"Framework: ${frameworks}, or your own YAML file." default:"owasp-asi-2026" predictor:"framework" placeholder:"NAME|FILE"`
	Key       string `help:"The log's public key, or its file. Without it, the server's own key is used, and nothing proves whose log it is." placeholder:"KEY|FILE"`
	Sign      string `help:"The log's signing key (log.key), to sign the attestation with." type:"path" placeholder:"FILE"`
	Debug     bool   `help:"Print internal errors."`
}

// verifier builds a verifier from the flags. Its errors are wrong use.
func (c *evidenceFlags) verifier(a *app, w compliance.Window) (v compliance.Verifier, err error) {
	v = compliance.Verifier{
		Window:  w,
		Version: program.Version(),
	}
	if slices.Contains(compliance.Frameworks(), c.Framework) {
		v.Framework, err = compliance.BuiltIn(c.Framework)
	} else if text, readErr := os.ReadFile(c.Framework); readErr != nil {
		err = fmt.Errorf("--framework %q is neither one of %s nor a file",
			c.Framework, strings.Join(compliance.Frameworks(), ", "))
	} else {
		v.Framework, err = compliance.ParseFramework(text)
	}
	if err == nil {
		v.Keys, err = a.keys(c.Key)
	}
	if err == nil {
		v.Source, err = a.evidence(v.Keys)
	}
	if err == nil && c.Sign != "" {
		v.Signer, err = datadir.LoadSigner(c.Sign)
	}
	return v, err
}

// ready returns a verifier of a period, or of the last span before now, that has keys. Its errors
// are told as a.wrongUse and a.internal tell them.
func (c *evidenceFlags) ready(
	a *app, p periodFlags, now time.Time, span time.Duration,
) (v compliance.Verifier, err error) {
	w, err := p.window(now, span)
	if err != nil {
		return v, a.wrongUse(err)
	}
	if v, err = c.verifier(a, w); err != nil {
		return v, a.wrongUse(err)
	}
	return v, a.internal(trustKeys(a, &v), c.Debug)
}

// evidence returns a source of what the server proves under the keys, or under its own if there are
// none.
func (a *app) evidence(keys []string) (compliance.Source, error) {
	c, err := a.api(func(cfg *client.Config) { cfg.Keys, cfg.TrustFirstUse = keys, true })
	return online.Source{Client: c}, err
}

// trustKeys uses the server's own keys if none were given, and prints a warning.
func trustKeys(a *app, v *compliance.Verifier) error {
	if len(v.Keys) > 0 {
		return nil
	}
	h, err := v.Source.Health(a.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.err, "sealstream: no --key: the log is checked with the keys that the server names; "+
		"this proves that it is a log, but not whose")
	v.Keys = h.Keys
	return nil
}

// wrongUse returns the error of an invalid flag or file. With --json it prints it first.
func (a *app) wrongUse(err error) error {
	if err == nil || !a.json {
		return err
	}
	a.print(jsonError{"error", err.Error(), "ValidationError"})
	return shown{err}
}

// internal returns any other error. With --json it prints one that reveals nothing, as the toolkit
// does; debug prints the details, too.
func (a *app) internal(err error, debug bool) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, compliance.ErrSigner) {
		return a.wrongUse(fmt.Errorf("--sign: %w", err))
	}
	if errors.Is(err, compliance.ErrNoAnswer) {
		err = noAnswer(a.server, err)
	} else {
		err = fmt.Errorf("%w: %w", failed("no verdict"), err)
	}
	if a.json {
		if debug {
			fmt.Fprintf(a.err, "sealstream: %s\n", plain(noUser(err.Error())))
		}
		a.print(jsonError{"error", "Audit log processing failed", "InternalError"})
		return shown{err}
	}
	return err
}

// jsonError is the form of an error with --json.
type jsonError struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Type    string `json:"type"`
}

type complianceVerifyCmd struct {
	evidenceFlags
	periodFlags
	Window string `help:"Length of the window up to now, such as 30d, 12h or all, without --since and --until." default:"30d"`
	Badge  bool   `help:"Print only a Markdown badge."`
	Out    string `help:"File to write the attestation to." short:"o" type:"path" placeholder:"FILE"`
	Report string `help:"File to write an HTML report of the window to." type:"path" placeholder:"FILE.html"`
}

func (*complianceCmd) Help() string {
	return "Examples:\n  sealstream compliance verify --key log.pub -o attestation.json\n" +
		"  sealstream compliance check attestation.json --key log.pub"
}

func (*complianceVerifyCmd) Help() string {
	return `A control passes if its component is declared and proven entries of the log are the evidence that it requires.
This is evidence for a control, and no statement of compliance.
Exit status: 0 every applicable control passes, 1 one does not, 2 wrong use or no server.

Examples:
  sealstream compliance verify --key sealstream-data/log.pub \
    --sign sealstream-data/log.key -o attestation.json
  sealstream compliance verify --framework agt-legacy --window all --badge`
}

// Run evaluates the framework and prints what was found.
func (c *complianceVerifyCmd) Run(a *app) error {
	span, err := parseSpan(c.Window)
	if err != nil {
		return a.wrongUse(err)
	}
	now := time.Now()
	v, err := c.ready(a, c.periodFlags, now, span)
	if err != nil {
		return err
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
		err = a.folded(att.Summary)
	}
	if err == nil && !att.Passed {
		err = shown{failed("%d of %d controls", att.ControlsPassed, att.ControlsTotal)}
	}
	return err
}

// folded prints what write writes. On a terminal, its lines fit.
func (a *app) folded(write func(io.Writer) error) error {
	var b strings.Builder
	if err := write(&b); err != nil {
		return err
	}
	_, err := io.WriteString(a.out, a.style().fold(b.String()))
	return err
}

// parseSpan parses "all" as 0, a number of days such as 30d, or a Go duration.
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
		return 0, fmt.Errorf("--window %.40q is not a length of time such as 30d, 12h or all", s)
	}
	return d, nil
}

type complianceCheckCmd struct {
	Attestation string `arg:"" help:"File that compliance verify wrote." type:"path" placeholder:"FILE"`
	Key         string `help:"The log's public key, or its file. Default: that of the context in use." placeholder:"KEY|FILE"`
}

func (*complianceCheckCmd) Help() string {
	return "Example:\n  sealstream compliance check attestation.json --key log.pub"
}

// Run checks the signature, the proofs and the verdicts of the attestation.
func (c *complianceCheckCmd) Run(a *app) error {
	keys, err := a.keys(c.Key)
	if err == nil && len(keys) == 0 {
		err = errors.New("an attestation is checked with the log's key; give --key")
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
		return a.print(map[string]any{
			"valid":            true,
			"framework":        att.Framework,
			"passed":           att.Passed,
			"controls_passed":  att.ControlsPassed,
			"controls_total":   att.ControlsTotal,
			"proofs":           len(att.Proofs),
			"tree_size":        cp.Size,
			"attestation_hash": att.Hash,
			"window":           att.Window,
			"built_in":         att.BuiltIn(),
			"log_valid":        att.LogValid,
		})
	}
	own := ""
	if !att.BuiltIn() {
		own = " (framework " + plain(att.Framework) + ", which is not built in)"
	}
	_, err = fmt.Fprintf(a.out, "OK: %s%s, evidence for %d of %d controls in %s at size %d; %d entries proven\n%s\n",
		plain(att.FrameworkTitle), own, att.ControlsPassed, att.ControlsTotal, plain(cp.Origin), cp.Size,
		len(att.Proofs), att.Window)
	return err
}

type componentCmd struct {
	Declare componentDeclareCmd `cmd:"" help:"Record that a component is in use, or that a control does not apply."`
}

type componentDeclareCmd struct {
	Agent         string `help:"DID of the agent that declares the component." required:"" placeholder:"DID"`
	Name          string `help:"Name of the component in the framework." placeholder:"NAME"`
	Ver           string `help:"Version of the component." name:"component-version" placeholder:"V"`
	Digest        string `help:"Digest of the program in use, such as sha256:HEX." placeholder:"ALGORITHM:HEX"`
	NotApplicable string `help:"Id of a control that does not apply. Record this instead." placeholder:"CONTROL"`
	Framework     string `help:"With --not-applicable: the control's framework." default:"owasp-asi-2026" predictor:"framework"`
	Reason        string `help:"With --not-applicable: why."`
}

func (*componentCmd) Help() string {
	return `Example:
  sealstream component declare --agent did:web:ops.example.com \
    --name ToolPolicy --component-version 1.2 --digest sha256:HEX`
}

func (*componentDeclareCmd) Help() string {
	return `A declaration alone never passes a control.

Examples:
  sealstream component declare --agent did:web:ops.example.com \
    --name AgentIdentity --component-version 1.2 --digest sha256:HEX
  sealstream component declare --agent did:web:ops.example.com \
    --not-applicable ASI06 --reason 'agents have no memory'`
}

// Run records the declaration, and waits until it is sealed.
func (c *componentDeclareCmd) Run(a *app) error {
	if (c.Name == "") == (c.NotApplicable == "") {
		return errors.New("component declare: either --name or --not-applicable is required")
	}
	ev, err := compliance.Declaration{Agent: c.Agent, Name: c.Name, Version: c.Ver, Digest: c.Digest}.Event()
	if c.NotApplicable != "" {
		ev, err = compliance.NotApplicable{
			Agent:     c.Agent,
			Framework: c.Framework,
			Control:   c.NotApplicable,
			Reason:    c.Reason,
		}.Event()
	}
	if err != nil {
		return err
	}
	receipts, err := a.record("application/cloudevents+json", ev.AppendJSON(nil), "sealed")
	if err != nil {
		return err
	}
	if len(receipts) != 1 || receipts[0].Status != "sealed" || receipts[0].Index == 0 {
		return failed("the declaration was not sealed: %+v", receipts)
	}
	if a.json {
		return a.print(receipts[0])
	}
	_, err = fmt.Fprintf(a.out, "sealed  index %d  id %s\n", receipts[0].Index, receipts[0].EntryID)
	return err
}
