package compliance

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/sealstream/sealstream/pkg/proof"
)

// Summary writes the attestation as text for people.
func (a Attestation) Summary(w io.Writer) error {
	state := "INCOMPLETE"
	if a.Passed {
		state = "PASSED"
	}
	fmt.Fprintf(w, "%s: evidence in the log — %s\n", plain(a.FrameworkTitle), state)
	fmt.Fprintf(w, "Coverage:    %d/%d (%d%%)", a.ControlsPassed, a.ControlsTotal, a.CoveragePct)
	if a.NotApplicable > 0 {
		fmt.Fprintf(w, ", %d not applicable", a.NotApplicable)
	}
	if !a.BuiltIn() {
		fmt.Fprintf(
			w,
			"\nFramework:   %s %s, which is not built in: it asks for what its author wanted to ask for",
			plain(a.Framework),
			plain(a.FrameworkVersion),
		)
	}
	fmt.Fprintf(w, "\nWindow:      %s\n", a.Window)
	fmt.Fprintf(w, "Checkpoint:  %s\n", a.checkpointName())
	if !a.LogValid {
		fmt.Fprintf(w, "Log:         DOES NOT VERIFY: %s\n", plain(a.LogError))
	}
	signed := "not signed"
	if a.Signature != "" {
		signed = "signed"
	}
	fmt.Fprintf(w, "Attestation: %.16s… (%s)\n\n", a.Hash, signed)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONTROL\tNAME\tVERDICT\tEVIDENCE\tCITED")
	for _, f := range a.Controls {
		found, cited := f.counts()
		fmt.Fprintf(t, "%s\t%s\t%s\t%d entries\t%s\n", plain(f.ID), plain(f.Name), f.Verdict, found, indexes(cited))
	}
	t.Flush()
	for _, f := range a.Controls {
		if f.Verdict == Pass {
			continue
		}
		fmt.Fprintf(w, "\n%s %s: %s\n", plain(f.ID), plain(f.Name), f.Verdict)
		for _, r := range f.Reasons {
			fmt.Fprintf(w, "  - %s\n", plain(r))
		}
		if f.Verdict != NotApplicableVerdict {
			fmt.Fprintf(w, "  remedy: %s\n", plain(f.Remedy))
		}
	}
	_, err := fmt.Fprint(
		w,
		"\nThis is evidence for controls, found in the log and proven under the checkpoint. "+
			"It is no statement that anybody complies with anything.\n",
	)
	return err
}

// counts is the matches of a finding's evidence, and all that it cites of it.
func (f Finding) counts() (found uint64, cited []uint64) {
	for _, e := range f.Evidence {
		found += e.Matches
		cited = append(cited, e.Cited...)
	}
	for _, n := range f.Negative {
		cited = append(cited, n.Cited...)
	}
	return found, cited
}

// String shows a window as an interval.
func (w Window) String() string {
	from, to := w.From, w.To
	if from == "" {
		from = "the beginning"
	}
	if to == "" {
		to = "the end"
	}
	return from + " to " + to + ", by the time of receipt"
}

func indexes(list []uint64) string {
	if len(list) == 0 {
		return "-"
	}
	text := make([]string, 0, 5)
	for i, x := range list {
		if i == 4 {
			text = append(text, "…")
			break
		}
		text = append(text, strconv.FormatUint(x, 10))
	}
	return strings.Join(text, " ")
}

// checkpointName names the checkpoint: origin, size, and the begin of the root.
func (a Attestation) checkpointName() string {
	c, err := proof.ParseCheckpointUnverified([]byte(a.Checkpoint))
	if err != nil {
		return "unreadable"
	}
	return fmt.Sprintf("%s, size %d, root %x…", plain(c.Origin), c.Size, c.Root[:8])
}

// BadgeMarkdown returns a badge of shields.io, which names the size and the root of the checkpoint.
// It is bright green if all controls passed, yellow from 80 % on, and red below.
func (a Attestation) BadgeMarkdown() string {
	root := "unknown"
	if c, err := proof.ParseCheckpointUnverified([]byte(a.Checkpoint)); err == nil {
		root = fmt.Sprintf("%d@%x", c.Size, c.Root[:4])
	}
	of := ""
	if !a.BuiltIn() { // whatever it calls itself
		of = " of own framework " + a.Framework
	}
	if a.NotApplicable > 0 { // or whoever declares most of them away would have a green badge like everybody else's
		of += fmt.Sprintf(" (%d not applicable)", a.NotApplicable)
	}
	message := fmt.Sprintf("evidence for %d/%d%s, %s", a.ControlsPassed, a.ControlsTotal, of, root)
	return fmt.Sprintf(
		"[![%s](https://img.shields.io/badge/%s-%s-%s?style=flat-square)](https://github.com/sealstream/sealstream)",
		strings.NewReplacer("[", "(", "]", ")").
			Replace(plain(a.Badge)),
		shield(a.Badge),
		shield(message),
		badgeColour(a.CoveragePct),
	)
}

func badgeColour(pct int) string {
	switch {
	case pct >= 100:
		return "brightgreen"
	case pct >= 80:
		return "yellow"
	}
	return "red"
}

// shield escapes a part of a badge: - and _ are written twice, a space as _.
func shield(s string) string {
	return strings.ReplaceAll(
		url.PathEscape(strings.NewReplacer("-", "--", "_", "__", " ", "_").Replace(plain(s))),
		")",
		"%29",
	)
}

// plain is a text without what a terminal obeys.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}
