package compliance

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/api"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(
	template.New("report").
		Funcs(template.FuncMap{
			"bars": barsOf, "agents": agentBars, "short": short, "plain": plain, "cited": citedOf,
			"where": Attestation.checkpointName,
		}).
		Parse(page),
)

// HTML writes the report as one file that needs no other, with charts as inline SVG.
func (r Report) HTML(w io.Writer) error { return pageTemplate.Execute(w, r) }

// bar is one bar of a chart. Widths are in units of the chart's 100.
type bar struct {
	Label string
	Count uint64
	Width string
	Y     int
}

// chart is bars under one another.
type chart struct {
	Bars   []bar
	Height int
}

const rowHeight = 22

func chartOf(list []bar) (c chart) {
	most := uint64(1)
	for _, b := range list {
		most = max(most, b.Count)
	}
	for i, b := range list {
		b.Width, b.Y = fmt.Sprintf("%.1f", float64(b.Count)/float64(most)*300), i*rowHeight
		c.Bars = append(c.Bars, b)
	}
	c.Height = max(len(list), 1) * rowHeight
	return c
}

// maxBars is how many values a chart shows; the rest is one bar.
const maxBars = 12

// sorted is a map's values, the most frequent first.
func sorted(m map[string]uint64) (list []bar) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, bar{Label: k, Count: m[k]})
	}
	slices.SortStableFunc(list, func(a, b bar) int { return cmp.Compare(b.Count, a.Count) })
	if len(list) > maxBars {
		rest := bar{Label: fmt.Sprintf("%d others", len(list)-maxBars)}
		for _, b := range list[maxBars:] {
			rest.Count += b.Count
		}
		list = append(list[:maxBars:maxBars], rest)
	}
	return list
}

func barsOf(m map[string]uint64) chart { return chartOf(sorted(m)) }

func agentBars(top []api.AgentCount) chart {
	var list []bar
	for _, a := range top[:min(len(top), maxBars)] {
		list = append(list, bar{Label: a.Agent, Count: a.Matches})
	}
	return chartOf(list)
}

// short cuts what does not fit beside a bar.
func short(s string) string {
	if r := []rune(plain(s)); len(r) > 44 {
		return string(r[:43]) + "…"
	}
	return plain(s)
}

func citedOf(f Finding) string {
	_, cited := f.counts()
	return indexes(cited)
}

// Markdown writes the report for places that show Markdown.
func (r Report) Markdown(w io.Writer) error {
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	p("# Audit report\n\n%s\n\n", r.Attestation.BadgeMarkdown())
	p(
		"| | |\n|---|---|\n| Period | %s |\n| Entries | %d of %d in the log |\n| Agents | %d |\n",
		r.Attestation.Window,
		r.Trail.TotalEntries,
		r.Trail.TreeSize,
		r.Trail.Agents,
	)
	p("| Chain | %s |\n| Root | `%s` |\n| Origin | %s |\n", valid(r.Trail), r.Trail.MerkleRoot, cellMD(r.Trail.Origin))
	p(
		"| Rejected, duplicate, equivocal input | %d, %d, %d |\n| Gaps | %d |\n",
		r.Input.Rejected,
		r.Input.Duplicates,
		r.Input.Equivocations,
		r.Input.Gaps,
	)
	p(
		"| Violations | %d, of which %d are not handled |\n| Integrity checks | %d, of which %d failed |\n\n",
		r.Violations.Total,
		r.Violations.Unhandled,
		r.Supply.Checks,
		r.Supply.Failed,
	)
	for _, t := range []struct {
		title string
		list  []bar
	}{
		{"Event type", sorted(r.Trail.ByType)},
		{"Outcome", sorted(r.Trail.ByOutcome)},
		{"Agent", agentBars(r.Trail.TopAgents).Bars},
	} {
		p("| %s | Entries |\n|---|---:|\n", t.title)
		for _, b := range t.list {
			p("| %s | %d |\n", cellMD(b.Label), b.Count)
		}
		p("\n")
	}
	p(
		"## %s: %d of %d controls\n\n| Control | Name | Verdict | Cited entries |\n|---|---|---|---|\n",
		cellMD(r.Attestation.FrameworkTitle),
		r.OWASP.Controls,
		r.OWASP.Total,
	)
	for _, f := range r.Attestation.Controls {
		p("| %s | %s | %s | %s |\n", cellMD(f.ID), cellMD(f.Name), f.Verdict, citedOf(f))
	}
	_, err := fmt.Fprintf(
		w,
		"\nEvidence for controls, proven under the checkpoint of size %d; "+
			"no statement that anybody complies with anything. Attestation `%s`.\n",
		r.Trail.TreeSize,
		r.OWASP.Hash,
	)
	return err
}

func valid(t Trail) string {
	switch {
	case t.Valid && t.Error == nil:
		return "verified by the query service"
	case t.Error != nil:
		return cellMD(*t.Error)
	}
	return "does not verify"
}

// cellMD makes an agent's text harmless in a table of Markdown.
func cellMD(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "`", "\\`", "<", "&lt;", "[", "\\[", "]", "\\]", "*", "\\*", "_",
		"\\_").
		Replace(plain(s))
}
