package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// Remote is what Cluster measured. Rates are events per second.
type Remote struct {
	Machine     string  `json:"machine"` // of the producers, ingest and sealer
	Replicas    int     `json:"replicas"`
	EventBytes  int     `json:"event_bytes"`
	Seconds     int     `json:"seconds"`
	RoundTripMS float64 `json:"nats_round_trip_ms"`
	// plain replicated stream, 4,096 messages under way, each stored by a quorum before its answer
	RawAsync    float64            `json:"raw_async_per_s"`
	RawOneByOne float64            `json:"raw_durable_per_s"` // the same, one by one
	Ingest      map[string]float64 `json:"ingest_per_s"`      // by producers
	IngestMS    map[string]Latency `json:"ingest_ms"`
	Sealed      float64            `json:"sealed_per_s"` // from publish to signed checkpoint
}

// Cluster measures a NATS cluster that runs already, with a log of its own there and ingest and
// sealer in this process. nc may make streams; what is made is removed at the end.
func Cluster(ctx context.Context, nc *nats.Conn, replicas, seconds int, progress func(string)) (out Remote, err error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(rawPending))
	if err != nil {
		return out, err
	}
	name := "bench-" + strings.ToLower(rand.Text()[:8])
	b := &run{
		total: time.Duration(max(orDefault(seconds, 30), 10)) * time.Second,
		out:   Result{Ingest: map[string]float64{}, IngestMS: map[string]Latency{}},
	}
	b.remote = func(ctx context.Context, r *rig) error { return r.on(ctx, nc, js, name, replicas) }
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, remove(ctx, js, name))
	}()
	if err := b.roundTrip(nc); err != nil {
		return out, err
	}
	for _, p := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"raw", func(ctx context.Context) error { return b.rawCluster(ctx, js, name, replicas) }},
		{"ingest", b.ingest},
		{"sealing", b.sealing},
	} {
		progress(p.name)
		if err := p.do(ctx); err != nil {
			return out, fmt.Errorf("%s: %w", p.name, err)
		}
		if err := remove(ctx, js, name); err != nil { // each phase begins with an empty log
			return out, err
		}
	}
	return Remote{
		Machine:     machine(),
		Replicas:    replicas,
		EventBytes:  eventBytes,
		Seconds:     int(b.total.Seconds()),
		RoundTripMS: b.out.RoundTripMS,
		RawAsync:    b.out.RawAsync,
		RawOneByOne: b.out.RawDurable,
		Ingest:      b.out.Ingest,
		IngestMS:    b.out.IngestMS,
		Sealed:      b.out.Sealed,
	}, nil
}

// on makes a log on a cluster.
func (r *rig) on(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, name string, replicas int) (err error) {
	cfg := streams.Config{
		Log:              name,
		Replicas:         replicas,
		EventsMaxBytes:   512 << 20,
		SealedMaxBytes:   512 << 20,
		PayloadsMaxBytes: 512 << 20,
		AlertsMaxBytes:   64 << 20,
	}
	if err := streams.Ensure(ctx, js, cfg); err != nil {
		return err
	}
	if r.log, err = natsstore.Open(ctx, nc, cfg); err != nil {
		return err
	}
	if err := r.keys(name); err != nil {
		return err
	}
	if err := sealer.Create(ctx, r.config, true); err != nil {
		return err
	}
	if r.ingest, err = ingest.New(ingest.Config{Log: r.log, Keys: []string{r.config.Signer.VerifierKey()}}); err != nil {
		return err
	}
	r.runIngest(ctx)
	return nil
}

// rawCluster publishes to a plain stream with as many replicas, which is removed with the others.
func (b *run) rawCluster(ctx context.Context, js jetstream.JetStream, name string, replicas int) error {
	subject := "bench.raw." + name
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: rawName(name), Subjects: []string{subject}, Storage: jetstream.FileStorage, Replicas: replicas,
	}); err != nil {
		return err
	}
	payload := event(0, 0)
	begin, n := time.Now(), 0
	for end := begin.Add(b.phase(3 * share.raw)); time.Now().Before(end); n++ {
		if _, err := js.PublishAsync(subject, payload, jetstream.WithStallWait(30*time.Second)); err != nil {
			return err
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(30 * time.Second):
		return fmt.Errorf("answers did not come")
	}
	b.out.RawAsync = float64(n) / time.Since(begin).Seconds()
	begin, n = time.Now(), 0
	for end := begin.Add(b.phase(share.raw)); time.Now().Before(end); n++ {
		if _, err := js.Publish(ctx, subject, payload); err != nil {
			return err
		}
	}
	b.out.RawDurable = float64(n) / time.Since(begin).Seconds()
	return nil
}

func rawName(name string) string { return "RAW_" + name }

// remove removes all that a log of this name has on a cluster, where it is; of the buckets that it
// shares with others, its keys.
func remove(ctx context.Context, js jetstream.JetStream, name string) error {
	for _, s := range []string{
		rawName(name), streams.EventsName(name), streams.SealedName(name), streams.PayloadsName(name),
		streams.AlertsName(name),
	} {
		if err := js.DeleteStream(ctx, s); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("remove %s: %w", s, err)
		}
	}
	for _, bucket := range []string{streams.HeadBucket, streams.CursorsBucket} {
		s, err := js.Stream(ctx, "KV_"+bucket)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		} else if err != nil {
			return err
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter("$KV."+bucket+".>"))
		if err != nil {
			return err
		}
		for subject := range info.State.Subjects {
			key := strings.TrimPrefix(subject, "$KV."+bucket+".")
			if key != name && !strings.HasPrefix(key, name+"/") {
				continue
			}
			if err := s.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
				return fmt.Errorf("remove %s from %s: %w", key, bucket, err)
			}
		}
	}
	return nil
}
