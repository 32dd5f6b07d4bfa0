// Package bench measures a log on the machine that it would run on: `sealstream bench`. It measures
// plain JetStream in the same run, with the same process and disk, so that the ratios are
// meaningful even where the figures alone are not.
//
// It starts servers, sealers and followers of its own in a temporary folder, which it removes.
package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/natsd"
)

// Config is the configuration of a measurement.
type Config struct {
	Seconds  int    // total time, roughly, at least 10; 0 is 60
	Dir      string // folder on the disk to measure; "" is the system's folder of temporary files
	Runs     int    // number of runs, whose medians are returned; 0 is 1
	Progress func(phase string)
}

// Latency is quantiles of a latency, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Result is the result of a measurement. Rates are in events per second, and times in milliseconds.
type Result struct {
	Machine    string `json:"machine"`
	Durability string `json:"durability"`
	EventBytes int    `json:"event_bytes"`
	Runs       int    `json:"runs"`
	Seconds    int    `json:"seconds"`     // for all runs together
	Producers  int    `json:"producers"`   // of the end-to-end phases, each with one event under way
	RawPending int    `json:"raw_pending"` // messages of plain asynchronous publishing that are not answered yet, at most

	FsyncMS float64 `json:"fsync_ms"` // one 1 KB write and its fsync, median
	// from this process to the server and back, nothing stored, median
	RoundTripMS   float64            `json:"nats_round_trip_ms"`
	RawAsync      float64            `json:"raw_async_per_s"`   // plain JetStream, not durable, asynchronous
	RawDurable    float64            `json:"raw_durable_per_s"` // plain JetStream, durable, one by one
	Ingest        map[string]float64 `json:"ingest_per_s"`      // durable acknowledgements, by producers
	IngestMS      map[string]Latency `json:"ingest_ms"`         // of one acknowledgement
	Sealed        float64            `json:"sealed_per_s"`      // from publish to signed checkpoint
	SealedFollow  float64            `json:"sealed_follower_per_s"`
	Drain         float64            `json:"drain_per_s"`     // sealing a backlog
	StoredMS      map[string]Latency `json:"stored_ms"`       // publish to acknowledgement, by events/s
	SealedMS      map[string]Latency `json:"sealed_ms"`       // publish to signed checkpoint
	ProbeMS       Latency            `json:"fsync_loaded_ms"` // the fsync probe while the latencies were measured
	Verify        float64            `json:"verify_per_s"`
	ProofMS       Latency            `json:"proof_ms"`
	QueryMS       Latency            `json:"query_ms"`
	BytesPerEvent float64            `json:"bytes_per_event"` // SEALED and PAYLOADS on disk
	HTTP          map[string]float64 `json:"http_per_s"`      // events of clients over HTTP and NATS, by phase
	Ratio         map[string]float64 `json:"ratio"`
}

// The producers and rates that are measured.
var (
	producers = []int{1, 16, 64, 512, 4096}
	rates     = []int{500, 2000, 10000}
)

// share is the part of the time that each phase gets.
var share = struct{ fsync, raw, ingest, sealed, drain, latency, read, http float64 }{
	0.02, 0.05, 0.04, 0.08, 0.06, 0.05, 0.04, 0.02,
}

// Run measures everything cfg.Runs times and returns the medians.
func Run(ctx context.Context, cfg Config) (Result, error) {
	cfg.Seconds, cfg.Runs = max(orDefault(cfg.Seconds, 60), 10), orDefault(cfg.Runs, 1)
	if cfg.Progress == nil {
		cfg.Progress = func(string) {}
	}
	natsd.DoubleThreads()
	list := make([]Result, cfg.Runs)
	for i := range list {
		var err error
		if list[i], err = once(ctx, cfg, time.Duration(cfg.Seconds)*time.Second/time.Duration(cfg.Runs)); err != nil {
			return Result{}, err
		}
	}
	r := median(list)
	r.Runs, r.Seconds, r.Producers, r.RawPending = cfg.Runs, cfg.Seconds, sealers, rawPending
	r.ratios()
	return r, nil
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

// once is one run in a folder of its own, which is removed.
func once(ctx context.Context, cfg Config, total time.Duration) (r Result, err error) {
	dir, err := os.MkdirTemp(cfg.Dir, "sealstream-bench-*")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	b := &run{dir: dir, total: total, out: Result{
		Machine:    machine(),
		Durability: "fsync before every acknowledgement",
		EventBytes: eventBytes,
		Ingest:     map[string]float64{},
		IngestMS:   map[string]Latency{},
		StoredMS:   map[string]Latency{},
		SealedMS:   map[string]Latency{},
	}}
	for _, p := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"fsync", b.fsync},
		{"raw asynchronous", b.rawAsync},
		{"raw durable", b.rawDurable},
		{"ingest", b.ingest},
		{"sealing", b.sealing},
		{"sealing with a follower", b.sealingFollowed},
		{"drain", b.drain},
		{"latency", b.latencies},
		{"reading", b.reading},
		{"HTTP", b.overHTTP},
	} {
		cfg.Progress(p.name)
		if err := p.do(ctx); err != nil {
			return r, fmt.Errorf("%s: %w", p.name, err)
		}
		runtime.GC() // what one phase leaves behind is not the next one's to clear up
	}
	return b.out, nil
}

// run is one measurement under way.
type run struct {
	dir    string
	total  time.Duration
	out    Result
	remote func(context.Context, *rig) error // makes the rigs on a cluster; nil: on servers of their own
	built  *rig                              // the log that the drain sealed, for reading
}

// phase is the time that a share of the run comes to.
func (b *run) phase(share float64) time.Duration { return time.Duration(float64(b.total) * share) }

// quantiles of durations, in milliseconds.
func quantiles(list []time.Duration) Latency {
	if len(list) == 0 {
		return Latency{}
	}
	slices.Sort(list)
	at := func(q float64) float64 {
		return float64(list[min(int(q*float64(len(list))), len(list)-1)]) / float64(time.Millisecond)
	}
	return Latency{at(0.5), at(0.99), at(1)}
}

// ratios sets the ratios, which depend less on the machine than the figures.
func (r *Result) ratios() {
	div := func(a, b float64) float64 {
		if b == 0 {
			return 0
		}
		return a / b
	}
	r.Ratio = map[string]float64{
		"ingest_512_to_raw_async":        div(r.Ingest["512"], r.RawAsync),
		"ingest_1_p50_to_fsync":          div(r.IngestMS["1"].P50, r.FsyncMS),
		"sealed_to_raw_async":            div(r.Sealed, r.RawAsync),
		"sealed_to_raw_durable":          div(r.Sealed, r.RawDurable),
		"sealed_follower_to_raw_async":   div(r.SealedFollow, r.RawAsync),
		"sealed_follower_to_raw_durable": div(r.SealedFollow, r.RawDurable),
		"drain_to_raw_async":             div(r.Drain, r.RawAsync),
		"stored_2000_p50_to_fsync":       div(r.StoredMS["2000"].P50, r.FsyncMS),
		"sealed_2000_p50_to_fsync":       div(r.SealedMS["2000"].P50, r.FsyncMS),
		"sealed_2000_p99_to_fsync":       div(r.SealedMS["2000"].P99, r.FsyncMS),
		"stored_2000_p99_to_probe_p99":   div(r.StoredMS["2000"].P99, r.ProbeMS.P99),
		"sealed_2000_p99_to_probe_p99":   div(r.SealedMS["2000"].P99, r.ProbeMS.P99),
	}
}
