package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestVectorsSealer seals every case of events.json with the sealer proper, in batches of several
// sizes, and audits the log.
func TestVectorsSealer(t *testing.T) {
	v := vectors(t, "events.json", *makeEvents(t))
	for _, c := range v.Cases {
		for _, most := range []int{1, 3, 256} {
			t.Run(fmt.Sprintf("%s/%d", c.Name, most), func(t *testing.T) {
				log := store.NewMemory(v.Log)
				cfg := sealer.Config{
					Log: log, Signer: vectorKey(t, "sealstream.example", "default", 1), Secret: vectorSecret,
					MaxEntries: most, KeepEvents: true,
				}
				for _, part := range c.streams(t) {
					log.Events = part
					sealAll(t, cfg)
				}
				c.compare(t, v, log)
			})
		}
	}
}

// streams are the EVENTS of a case: one, and another one each time that it was made anew.
func (c eventCase) streams(t *testing.T) (list []*store.MemoryStream) {
	t.Helper()
	created := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	var part []entry.Message
	for _, m := range c.Messages {
		if m.NewEvents {
			list, part = append(list, store.NewMemoryStreamOf(created, part)), nil
			created = created.Add(40 * time.Minute)
		}
		part = append(part, m.message(t))
	}
	return append(list, store.NewMemoryStreamOf(created, part))
}

// sealAll runs a sealer until everything on EVENTS is sealed.
func sealAll(t *testing.T, cfg sealer.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := sealer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	info, err := cfg.Log.Events.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := cfg.Log.Sealed.Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	run, stop := context.WithCancelCause(ctx)
	go func() {
		err := s.Run(run)
		stop(err) // whoever waits for SEALED waits no longer
		done <- err
	}()
	for reached := (sealedlog.Position{}); reached.Seq != info.Last || reached.Place != sealedlog.PlaceEnd ||
		reached.Epoch == 1 && info.First > 1; {
		list, err := r.Next(run, 256)
		if err != nil {
			t.Fatalf("reading SEALED: %v (sealer: %v)", err, context.Cause(run))
		}
		b, err := sealedlog.ParseBatch(list[len(list)-1])
		if err != nil {
			t.Fatal(err)
		}
		reached = b.Input
	}
	stop(errors.New("all is sealed"))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func messages(t *testing.T, s store.Stream) (list []entry.Message) {
	t.Helper()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := info.First; seq <= info.Last; seq++ {
		m, err := s.Get(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

func all(list []entry.Message) iter.Seq2[entry.Message, error] {
	return func(yield func(entry.Message, error) bool) {
		for _, m := range list {
			if !yield(m, nil) {
				return
			}
		}
	}
}

func (c eventCase) compare(t *testing.T, v eventVectors, log *store.Log) {
	t.Helper()
	sealed, payloads := messages(t, log.Sealed), messages(t, log.Payloads)
	var leaves, records [][]byte
	for _, m := range sealed {
		leaves = append(leaves, bytes.SplitAfter(m.Data, []byte("\n"))...)
		leaves = leaves[:len(leaves)-1]
	}
	for _, m := range payloads {
		records = append(records, bytes.SplitAfter(m.Data, []byte("\n"))...)
		records = records[:len(records)-1]
	}
	if len(leaves) != len(c.Leaves) || len(records) != len(c.Payloads) {
		t.Fatalf("%d leaves and %d payloads, want %d and %d", len(leaves), len(records), len(c.Leaves), len(c.Payloads))
	}
	for i := range leaves {
		equal(t, fmt.Sprint("leaf ", i), string(leaves[i]), string(c.Leaves[i])+"\n")
	}
	for i := range records {
		equal(t, fmt.Sprint("payload ", i), string(records[i]), string(c.Payloads[i])+"\n")
	}
	report, err := audit.Log(audit.Config{Keys: []string{v.VKey}, Payloads: func(seq uint64) ([]byte, bool, error) {
		return payloads[seq-1].Data, true, nil
	}}, all(sealed))
	if err != nil || report.Size != uint64(len(c.Leaves)) || report.Payloads != uint64(len(c.Payloads)) {
		t.Errorf("audit: %+v, %v", report, err)
	}
}
