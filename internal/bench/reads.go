package bench

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
)

// Reads is what reading a log of one size costs.
type Reads struct {
	Machine   string           `json:"machine"`
	Entries   uint64           `json:"entries"`
	LogBytes  uint64           `json:"log_bytes"`    // SEALED and PAYLOADS
	Folder    map[string]int64 `json:"folder_bytes"` // query's folder, by kind of file
	KeptPerS  float64          `json:"kept_per_s"`   // entries, from an empty folder until all full parts are in files
	FollowMS  float64          `json:"follow_ms"`    // from an empty folder until requests are answered
	StartMS   float64          `json:"start_ms"`     // from a full folder until requests are answered
	RecheckMS float64          `json:"recheck_ms"`   // from a full folder until it was compared with the log
	// entries of the log, verified as a whole: out of the streams, and over HTTP out of an export
	VerifyPerS     float64    `json:"verify_per_s"`
	VerifyHTTPPerS float64    `json:"verify_http_per_s"`
	Cases          []ReadCase `json:"cases"`         // in the order in which they were measured
	Memory         []Memory   `json:"memory"`        // before, while and after
	Cold           bool       `json:"cold_measured"` // the page cache could be dropped
	Archive        Archived   `json:"archive"`
}

// ReadCase is one kind of read, with so many clients at a time.
type ReadCase struct {
	Name    string  `json:"name"`
	Clients int     `json:"clients"`
	Cold    bool    `json:"cold"` // the page cache was dropped before
	PerS    float64 `json:"per_s"`
	MS      Latency `json:"ms"`
}

// readAgents is how many agents the log has. How many entries each has follows Zipf's law.
const readAgents = 1000

// Reading builds a log of n entries and measures reading. Server, sealer and query run in this
// process, and so do the clients, without HTTP.
func Reading(ctx context.Context, dir string, n uint64, progress func(string)) (out Reads, err error) {
	tmp, err := os.MkdirTemp(dir, "sealstream-bench-*")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(tmp)
	natsd.DoubleThreads()
	b := &run{dir: tmp, total: 20 * time.Second}
	progress(fmt.Sprintf("sealing %d entries", n))
	r, err := b.populated(ctx, n)
	if err != nil {
		return out, err
	}
	defer r.close()
	out = Reads{Machine: machine(), Entries: r.sealer.Status().Size}
	for _, s := range []store.Stream{r.log.Sealed, r.log.Payloads} {
		info, err := s.Info(ctx)
		if err != nil {
			return out, err
		}
		out.LogBytes += info.Bytes
	}
	r.stopSealer()
	r.stopSealer = nil
	progress("keeping them in files")
	folder := filepath.Join(tmp, "index")
	begin := time.Now()
	cfg := query.Config{Log: r.log, Folder: folder}
	err = r.serve(ctx, cfg, out.Entries, func(_ *query.Query, answered float64) error {
		out.KeptPerS = float64(out.Entries) / time.Since(begin).Seconds()
		out.FollowMS = answered
		return nil
	})
	if err != nil {
		return out, err
	}
	if out.Folder, err = folderBytes(folder); err != nil {
		return out, err
	}
	begin = time.Now()
	err = r.serve(ctx, cfg, out.Entries, func(q *query.Query, _ float64) error {
		out.StartMS = milliseconds(time.Since(begin))
		progress("comparing the files with the log") // at half speed, which what follows would share
		rechecked := func() bool { s := q.Status(); return s.Restored == 0 || s.Rechecked }
		if err := until(ctx, rechecked); err != nil {
			return err
		}
		out.RecheckMS = milliseconds(time.Since(begin))
		progress("verifying")
		if err := r.verify(ctx, q, &out); err != nil {
			return err
		}
		return b.readCases(ctx, q, &out, progress)
	})
	if err == nil {
		progress("archiving")
		out.Archive, err = r.archived(ctx, filepath.Join(tmp, "filled"), out.Entries)
	}
	return out, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// populated makes a log of n entries of readAgents agents.
func (b *run) populated(ctx context.Context, n uint64) (*rig, error) {
	r, err := b.rig(ctx, "reading")
	if err != nil {
		return nil, err
	}
	if err = r.seal(ctx); err == nil {
		err = r.reach(ctx, 1)
	}
	var zipfs sync.Map // by producer: a Zipf may not be shared
	if err == nil {
		_, err = b.grow(ctx, r, n, func(p, n int) []byte {
			zipf, there := zipfs.Load(p)
			if !there {
				zipf = rand.NewZipf(rand.New(rand.NewPCG(uint64(p), 16)), 1.2, 1, readAgents-1)
				zipfs.Store(p, zipf)
			}
			return eventOf(int(zipf.(*rand.Zipf).Uint64()), p, n)
		})
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// serve runs a query service over the whole log, and calls use when all full parts are in files.
// answered is after how many milliseconds requests were answered.
func (r *rig) serve(
	ctx context.Context, cfg query.Config, size uint64, use func(q *query.Query, answered float64) error,
) error {
	begin := time.Now()
	cfg.Keys = []string{r.config.Signer.VerifierKey()}
	q, err := query.New(cfg)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- q.Run(running) }()
	defer func() { stop(); <-done }()
	if err := q.Await(ctx, size); err != nil {
		return err
	}
	answered := milliseconds(time.Since(begin))
	if err := until(ctx, func() bool { return q.Status().Kept >= int(size/segment.MaxRows) }); err != nil {
		return err
	}
	return use(q, answered)
}

// until waits until done returns true.
func until(ctx context.Context, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// folderBytes is how many bytes the files of a folder have, by kind.
func folderBytes(folder string) (map[string]int64, error) {
	kinds := map[string]int64{}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			kinds[strings.TrimPrefix(filepath.Ext(path), ".")] += info.Size()
		}
		return err
	})
	return kinds, err
}
