package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/natsd"
)

// fsync is the disk's own speed: one event's bytes written and synced, again and again.
func (b *run) fsync(ctx context.Context) error {
	f, err := os.Create(filepath.Join(b.dir, "fsync"))
	if err != nil {
		return err
	}
	defer f.Close()
	payload := event(0, 0)
	var list []time.Duration
	for end := time.Now().Add(b.phase(share.fsync)); time.Now().Before(end); {
		begin := time.Now()
		if _, err := f.Write(payload); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		list = append(list, time.Since(begin))
	}
	b.out.FsyncMS = quantiles(list).P50
	return nil
}

// rawPending is as many as the most producers that the log is measured with.
const rawPending = 4096

// rawStream is a plain stream on a server of its own, for comparison.
func (b *run) rawStream(ctx context.Context, name string, relaxed bool,
	use func(js jetstream.JetStream, nc *nats.Conn) error) error {
	s, err := natsd.Start(ctx,
		natsd.Config{StoreDir: filepath.Join(b.dir, name), Addr: "127.0.0.1:0", Log: "bench", Relaxed: relaxed})
	if err != nil {
		return err
	}
	defer s.Shutdown()
	nc, err := s.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(rawPending))
	if err != nil {
		return err
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "RAW", Subjects: []string{"raw"}, Storage: jetstream.FileStorage,
	}); err != nil {
		return err
	}
	return use(js, nc)
}

// rawAsync publishes to a server that answers from the page cache, without waiting for each answer.
func (b *run) rawAsync(ctx context.Context) error {
	return b.rawStream(ctx, "raw-async", true, func(js jetstream.JetStream, _ *nats.Conn) error {
		payload := event(0, 0)
		begin, n := time.Now(), 0
		for end := begin.Add(b.phase(share.raw)); time.Now().Before(end); n++ {
			if _, err := js.PublishAsync("raw", payload, jetstream.WithStallWait(10*time.Second)); err != nil {
				return err
			}
		}
		select {
		case <-js.PublishAsyncComplete():
		case <-time.After(30 * time.Second):
			return fmt.Errorf("answers did not come")
		}
		b.out.RawAsync = float64(n) / time.Since(begin).Seconds()
		return nil
	})
}

// rawDurable publishes to a durable server, one after the other.
func (b *run) rawDurable(ctx context.Context) error {
	return b.rawStream(ctx, "raw-durable", false, func(js jetstream.JetStream, nc *nats.Conn) error {
		if err := b.roundTrip(nc); err != nil {
			return err
		}
		payload := event(0, 0)
		begin, n := time.Now(), 0
		for end := begin.Add(b.phase(share.raw)); time.Now().Before(end); n++ {
			if _, err := js.Publish(ctx, "raw", payload); err != nil {
				return err
			}
		}
		b.out.RawDurable = float64(n) / time.Since(begin).Seconds()
		return nil
	})
}

// roundTrip is what every acknowledgement costs before its fsync.
func (b *run) roundTrip(nc *nats.Conn) error {
	list := make([]time.Duration, 500)
	for i := range list {
		var err error
		if list[i], err = nc.RTT(); err != nil {
			return err
		}
	}
	b.out.RoundTripMS = quantiles(list).P50
	return nil
}
