package main

import (
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/sealstream/sealstream/internal/bench"
)

// showReads prints what reading costs, as tables.
func showReads(a *app, r bench.Reads) error {
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(a.out, "%s; %d entries\n\n", r.Machine, r.Entries)
	kept := int64(0)
	for _, kind := range slices.Sorted(maps.Keys(r.Folder)) {
		kept += r.Folder[kind]
		fmt.Fprintf(t, "%s\t%.1f bytes an entry\t\n", kind, float64(r.Folder[kind])/float64(r.Entries))
	}
	fmt.Fprintf(t, "folder\t%.2f × SEALED and PAYLOADS\t\n", float64(kept)/float64(r.LogBytes))
	fmt.Fprintf(t, "kept\t%.0f entries/s\t\n", r.KeptPerS)
	fmt.Fprintf(t, "start\t%.0f ms\t\n", r.StartMS)
	fmt.Fprintf(t, "files compared with the log\t%.0f ms\t\n", r.RecheckMS)
	fmt.Fprintf(t, "first start\t%.0f ms\t\n", r.FollowMS)
	fmt.Fprintf(t, "full verification\t%.0f entries/s\t\n", r.VerifyPerS)
	fmt.Fprintf(t, "full verification over HTTP\t%.0f entries/s\t\n\n", r.VerifyHTTPPerS)
	fmt.Fprintln(t, "read\tclients\tper second\tp50 ms\tp99 ms\tmax ms\t")
	for _, c := range r.Cases {
		name := c.Name
		if c.Cold {
			name += ", cold"
		}
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.3f\t%.3f\t%.3f\t\n", name, c.Clients, c.PerS, c.MS.P50, c.MS.P99, c.MS.Max)
	}
	if x := r.Archive; x.Entries > 0 {
		fmt.Fprintf(t, "\narchived\t%.0f entries/s\t\n", x.PerS)
		for _, place := range slices.Sorted(maps.Keys(x.Bytes)) {
			fmt.Fprintf(t, "%s, trimmed\t%.1f bytes an entry\t\n", place, float64(x.Bytes[place])/float64(r.Entries))
		}
		fmt.Fprintf(t, "first start with the archive\t%.0f ms\t\n", x.FillMS)
	}
	fmt.Fprintln(t, "\nmemory\tanonymous MB\tof files MB\t")
	for _, m := range r.Memory {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t\n", m.When, m.AnonM, m.FileM)
	}
	return t.Flush()
}
