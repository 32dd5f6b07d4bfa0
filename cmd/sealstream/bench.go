package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/sealstream/sealstream/internal/bench"
	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/natsconn"
)

type benchCmd struct {
	natsconn.ConnFlags
	Replicas int `help:"With --server nats://…: replicas per stream." default:"3" env:"SEALSTREAM_REPLICAS"`

	Seconds int    `help:"Total time, roughly, in seconds." default:"60"`
	Runs    int    `help:"Number of runs within that time. The medians are printed." default:"1"`
	Growth  bool   `help:"Instead, grow one log to 10,000, 100,000 and 1,000,000 entries, and measure at each size. This takes a minute or two."`
	Read    uint64 `help:"Instead, build a log of N entries and measure reading: proofs, pages, traces, tiles, exports." placeholder:"N"`
	Dir     string `help:"Folder on the disk to measure. Default: the folder of temporary files." type:"path" placeholder:"DIR"`
}

func (*benchCmd) Help() string {
	return `Measures durable ingest, sealing, latency, verification and queries, and plain JetStream for comparison.
It runs its own servers in a temporary folder, which it removes.

Examples:
  sealstream bench --seconds 60 --json
  sealstream bench --read 1000000
  sealstream bench --server nats://127.0.0.1:4222 --nkey admin.nkey`
}

// Run measures and prints a table, or JSON.
func (c *benchCmd) Run(a *app) error {
	phase := func(name string) {
		if isTerminal(a.err) {
			fmt.Fprintf(a.err, "\r\x1b[K%s", name)
		}
	}
	defer phase("")
	if strings.HasPrefix(a.server, "nats://") || strings.HasPrefix(a.server, "tls://") {
		return c.cluster(a, phase)
	}
	if c.Growth {
		return c.growth(a, phase)
	}
	if c.Read > 0 {
		return c.reading(a, phase)
	}
	r, err := bench.Run(a.ctx, bench.Config{Seconds: c.Seconds, Runs: c.Runs, Dir: c.Dir, Progress: phase})
	phase("")
	if err != nil {
		return err
	}
	if a.json {
		return a.print(r)
	}
	return showBench(a, r)
}

func (c *benchCmd) growth(a *app, phase func(string)) error {
	list, err := bench.Growth(a.ctx, c.Dir, []uint64{10_000, 100_000, 1_000_000}, phase)
	phase("")
	if err != nil || a.json {
		return errors.Join(err, a.print(map[string]any{"growth": list}))
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "entries\tsealed/s\tpause ms\tfsync probe max ms\tproof p99 ms\tsealer opens ms\trebuilds ms\t"+
		"index ms\theap MB\tpeak MB\tindex MB\tgoroutines\tfiles\t")
	for _, g := range list {
		fmt.Fprintf(t, "%d\t%.0f\t%.1f\t%.1f\t%.3f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t%d\t\n", g.Entries, g.SealedPerS,
			g.LongestPause, g.ProbeMS.Max, g.ProofMS.P99, g.OpenMS, g.RebuildMS, g.IndexMS, g.HeapMB, g.PeakHeapMB,
			g.IndexHeapMB, g.Goroutines, g.Files)
	}
	return t.Flush()
}

func (c *benchCmd) reading(a *app, phase func(string)) error {
	r, err := bench.Reading(a.ctx, c.Dir, c.Read, phase)
	phase("")
	if err != nil || a.json {
		return errors.Join(err, a.print(r))
	}
	return showReads(a, r)
}

func showBench(a *app, r bench.Result) error {
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s; events of %d bytes; %s; medians of %d\n\n", r.Machine, r.EventBytes, r.Durability, r.Runs)
	rate := func(what string, v float64) {
		fmt.Fprintf(t, "%s\t%.0f/s\t%.2f × raw asynchronous\n", what, v, v/max(r.RawAsync, 1))
	}
	fmt.Fprintf(t, "fsync\t%.3f ms\n", r.FsyncMS)
	fmt.Fprintf(t, "NATS round trip\t%.3f ms\n", r.RoundTripMS)
	rate("raw JetStream, asynchronous, not durable", r.RawAsync)
	rate("raw JetStream, one by one, durable", r.RawDurable)
	for _, n := range []int{1, 16, 64, 512, 4096} {
		k := strconv.Itoa(n)
		rate("durable ingest, "+k+" producers", r.Ingest[k])
		fmt.Fprintf(t, "\tp50 %.2f ms\tp99 %.2f ms\n", r.IngestMS[k].P50, r.IngestMS[k].P99)
	}
	rate("sealed, end to end", r.Sealed)
	rate("sealed, with a follower", r.SealedFollow)
	rate("drain of a backlog", r.Drain)
	for _, n := range []int{500, 2000, 10000} {
		k := strconv.Itoa(n)
		fmt.Fprintf(t, "at %s/s: stored\tp50 %.2f ms\tp99 %.2f ms\n", k, r.StoredMS[k].P50, r.StoredMS[k].P99)
		fmt.Fprintf(t, "at %s/s: sealed\tp50 %.2f ms\tp99 %.2f ms\n", k, r.SealedMS[k].P50, r.SealedMS[k].P99)
	}
	fmt.Fprintf(t, "meanwhile: one fsync\tp50 %.2f ms\tp99 %.2f ms\n", r.ProbeMS.P50, r.ProbeMS.P99)
	fmt.Fprintf(t, "full verification\t%.0f entries/s\n", r.Verify)
	fmt.Fprintf(t, "inclusion proof\tp50 %.3f ms\tp99 %.3f ms\n", r.ProofMS.P50, r.ProofMS.P99)
	fmt.Fprintf(t, "first page of a query\tp50 %.3f ms\tp99 %.3f ms\n", r.QueryMS.P50, r.QueryMS.P99)
	fmt.Fprintf(t, "on disk\t%.0f bytes an event\n", r.BytesPerEvent)
	for _, name := range bench.HTTPPhases() {
		over := "HTTP: "
		if strings.HasPrefix(name, "NATS") {
			over = ""
		}
		fmt.Fprintf(t, "%s%s\t%.0f/s\n", over, name, r.HTTP[name])
	}
	return t.Flush()
}

// cluster measures a running cluster.
func (c *benchCmd) cluster(a *app, phase func(string)) error {
	c.NATS = a.server
	nc, err := c.Reach(cluster.RoleAdmin).Connect("sealstream bench", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer nc.Close()
	r, err := bench.Cluster(a.ctx, nc, c.Replicas, c.Seconds, phase)
	phase("")
	if err != nil {
		return err
	}
	if a.json {
		return a.print(r)
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s; events of %d bytes; %d replicas\n\nNATS round trip\t%.3f ms\n", r.Machine, r.EventBytes,
		r.Replicas, r.RoundTripMS)
	rate := func(what string, v float64) {
		fmt.Fprintf(t, "%s\t%.0f/s\t%.2f × raw\n", what, v, v/max(r.RawAsync, 1))
	}
	rate("raw replicated publish, asynchronous", r.RawAsync)
	rate("raw replicated publish, one by one", r.RawOneByOne)
	for _, n := range []int{1, 16, 64, 512, 4096} {
		k := strconv.Itoa(n)
		rate("ingest, "+k+" producers", r.Ingest[k])
		fmt.Fprintf(t, "\tp50 %.2f ms\tp99 %.2f ms\n", r.IngestMS[k].P50, r.IngestMS[k].P99)
	}
	rate("sealed, end to end", r.Sealed)
	return t.Flush()
}
