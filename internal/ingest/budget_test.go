package ingest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestPromise: large requests get their room in the order in which they came, give it back, lose it
// when they are slow, and are refused after a while without it.
func TestPromise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget{limit: 100 << 20}
		ctx := t.Context()
		first, err := b.reserveLarge(ctx, 40<<20)
		if err != nil {
			t.Fatal(err)
		}
		second, err := b.reserveLarge(ctx, 200<<20) // counts as half of all
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 3)
		for _, w := range []struct {
			name  string
			bytes int64
		}{{"third", 50 << 20}, {"fourth", 20 << 20}} {
			go func() {
				end, err := b.reserveLarge(ctx, w.bytes)
				if err != nil {
					t.Error(w.name, err)
					return
				}
				defer end()
				order <- w.name
				time.Sleep(time.Second)
			}()
			synctest.Wait()
		}
		if len(order) > 0 {
			t.Fatalf("%s was promised room that is not there", <-order)
		}
		second()
		second() // no second time
		if name := <-order; name != "third" {
			t.Fatalf("%s came first", name)
		}
		first()
		if name := <-order; name != "fourth" {
			t.Fatalf("%s came second", name)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if b.reserved != 0 || b.waits.Load() != 0 {
			t.Fatalf("%d promised, %d wait at the end", b.reserved, b.waits.Load())
		}

		// What is in use counts as well, and a slow sender keeps others out for a while only.
		if !b.take(60 << 20) {
			t.Fatal("there is room for 60 MiB")
		}
		slow, err := b.reserveLarge(ctx, 40<<20)
		if err != nil {
			t.Fatal(err)
		}
		defer slow()
		begin := time.Now()
		if _, err := b.reserveLarge(ctx, 40<<20); !errors.Is(err, ErrBusy) || time.Since(begin) != largeTimeout {
			t.Fatalf("%v after %v, want ErrBusy after %v", err, time.Since(begin), largeTimeout)
		}
		time.Sleep(2*time.Second + 10*time.Second - largeTimeout) // 40 MiB at 4 MiB/s
		end, err := b.reserveLarge(ctx, 40<<20)
		if err != nil {
			t.Fatal("behind a slow sender:", err)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := b.reserveLarge(gone, 40<<20); !errors.Is(err, ErrBusy) || b.waits.Load() != 0 {
			t.Fatalf("a caller that has left: %v, %d wait", err, b.waits.Load())
		}
		end()
		b.release(60 << 20)
	})
}
