package bench

import (
	"context"
	"time"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
)

// Archived is what it costs to archive a log, and to read it once it is trimmed.
type Archived struct {
	Entries uint64            `json:"entries"` // in full segments
	PerS    float64           `json:"per_s"`   // entries archived, read back and trimmed
	Bytes   map[string]uint64 `json:"bytes"`   // of SEALED, PAYLOADS and ARCHIVE, after trimming
	// from an empty folder of query until requests are answered, out of archive and trimmed log; for
	// a second of it answers wait for the comparison with the log
	FillMS float64 `json:"fill_ms"`
	Filled uint64  `json:"filled"` // entries whose index the archive gave
}

// keptEntries is how many of the newest entries trimming leaves.
const keptEntries = 1000

// archived archives the log, trims it, and fills an empty folder of query.
func (r *rig) archived(ctx context.Context, folder string, size uint64) (out Archived, err error) {
	begin := time.Now()
	if err := r.archive(ctx, size/segment.MaxRows); err != nil {
		return out, err
	}
	out.Entries = size / segment.MaxRows * segment.MaxRows
	out.PerS = float64(out.Entries) / time.Since(begin).Seconds()
	out.Bytes = map[string]uint64{}
	for name, s := range map[string]any{"SEALED": r.log.Sealed, "PAYLOADS": r.log.Payloads, "ARCHIVE": r.log.Archive} {
		held, err := store.SizeOf(ctx, s)
		if err != nil {
			return out, err
		}
		out.Bytes[name] = held.Bytes
	}
	a := archive.New(r.log)
	cfg := query.Config{Log: a.Through(), Folder: folder, Parts: a}
	err = r.serve(ctx, cfg, size, func(q *query.Query, answered float64) error {
		out.FillMS, out.Filled = answered, q.Status().Restored
		return nil
	})
	return out, err
}

// archive runs an archiver until it has written n segments and trimmed what they hold.
func (r *rig) archive(ctx context.Context, n uint64) error {
	x, err := archive.NewArchiver(archive.Config{
		Archive: archive.New(r.log), Keys: []string{r.config.Signer.VerifierKey()}, TrimSealed: keptEntries,
		Indexer: query.NewIndexer(r.log.Name),
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- x.Run(running) }()
	defer func() { stop(); <-done }()
	for {
		s := x.Status()
		if s.Err != nil || s.Segments >= n {
			return s.Err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
