package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams"
)

// mover copies one log's streams and buckets from one server to another.
type mover struct {
	cfg          streams.Config
	fromNC, toNC *nats.Conn
	from, to     jetstream.JetStream
}

func newMover(from, to *nats.Conn, cfg streams.Config) (*mover, error) {
	m := &mover{cfg: cfg, fromNC: from, toNC: to}
	var err error
	if m.from, err = jetstream.New(from); err != nil {
		return nil, err
	}
	m.to, err = jetstream.New(to)
	return m, err
}

// run looks at the whole target before it changes anything there.
func (m *mover) run(ctx context.Context) error {
	var missing []jetstream.StreamConfig
	sealedThere := false
	for _, s := range streams.Declared(m.cfg) {
		if s.Name == streams.EventsName(m.cfg.Log) {
			continue
		}
		there, err := m.there(ctx, s.Name)
		if err != nil {
			return err
		}
		if !there {
			missing = append(missing, s)
		} else if s.Name == streams.SealedName(m.cfg.Log) {
			sealedThere = true
		}
	}
	if events, err := m.to.Stream(ctx, streams.EventsName(m.cfg.Log)); err == nil &&
		events.CachedInfo().State.LastSeq > 0 &&
		!sealedThere {
		return fmt.Errorf("%w: EVENTS is not empty", ErrOccupied)
	} else if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	for _, s := range missing {
		if err := m.restore(ctx, s); err != nil {
			return fmt.Errorf("move stream %s: %w", s.Name, err)
		}
	}
	if err := streams.Ensure(ctx, m.to, m.cfg); err != nil {
		return err
	}
	for _, bucket := range []string{streams.HeadBucket, streams.CursorsBucket} {
		if err := m.bucket(ctx, bucket); err != nil {
			return fmt.Errorf("move bucket %s: %w", bucket, err)
		}
	}
	if err := m.objects(ctx); err != nil {
		return fmt.Errorf("move bucket %s: %w", streams.ArchiveBucket, err)
	}
	return nil
}

// there says whether a stream has arrived whole. What follows from its last message's chain the
// audit checks.
func (m *mover) there(ctx context.Context, name string) (bool, error) {
	from, err := m.from.Stream(ctx, name)
	if err != nil {
		return false, err
	}
	to, err := m.to.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	a, b := from.CachedInfo().State, to.CachedInfo().State
	if b.LastSeq == 0 { // admin apply made it
		return a.LastSeq == 0, nil
	}
	if a.FirstSeq != b.FirstSeq || a.LastSeq != b.LastSeq || a.Msgs != b.Msgs || !a.LastTime.Equal(b.LastTime) {
		return false, fmt.Errorf(
			"%w: stream %s has sequences %d to %d, not %d to %d",
			ErrOccupied,
			name,
			b.FirstSeq,
			b.LastSeq,
			a.FirstSeq,
			a.LastSeq,
		)
	}
	return true, nil
}

const (
	snapshotChunk   = 128 << 10
	snapshotTimeout = 30 * time.Second // between two chunks, and for each answer
)

// restore takes a snapshot and gives each chunk on as it comes. The stream stands at the target
// when the last has arrived, or not at all.
func (m *mover) restore(ctx context.Context, want jetstream.StreamConfig) error {
	if old, err := m.to.Stream(ctx, want.Name); err == nil && old.CachedInfo().State.LastSeq == 0 {
		if err := m.to.DeleteStream(ctx, want.Name); err != nil { // empty, and in the way
			return err
		}
	}
	inbox := m.fromNC.NewInbox()
	sub, err := m.fromNC.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	var snapshot struct {
		State json.RawMessage `json:"state"`
	}
	if err := question(ctx, m.fromNC, "$JS.API.STREAM.SNAPSHOT."+want.Name,
		map[string]any{"deliver_subject": inbox, "no_consumers": true, "chunk_size": snapshotChunk}, &snapshot); err != nil {
		return err
	}
	var to struct {
		Deliver string `json:"deliver_subject"`
	}
	if err := question(ctx, m.toNC, "$JS.API.STREAM.RESTORE."+want.Name,
		map[string]any{"config": want, "state": snapshot.State}, &to); err != nil {
		return err
	}
	for {
		chunk, err := m.chunk(ctx, sub)
		if err != nil {
			return err
		}
		if len(chunk.Data) == 0 {
			return question(ctx, m.toNC, to.Deliver, nil, &struct{}{})
		}
		wait, cancel := context.WithTimeout(ctx, snapshotTimeout)
		answer, err := m.toNC.RequestWithContext(wait, to.Deliver, chunk.Data)
		cancel()
		if err != nil {
			return err
		}
		if len(answer.Data) > 0 {
			return fmt.Errorf("the target refused: %.200s", answer.Data)
		}
		if chunk.Reply != "" { // else the server asks for no sign to go on
			if err := chunk.Respond(nil); err != nil {
				return err
			}
		}
	}
}

func (m *mover) chunk(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	chunk, err := sub.NextMsgWithContext(ctx)
	if err != nil {
		return nil, err
	}
	if status := chunk.Header.Get("Status"); len(chunk.Data) == 0 && status != "" && status[0] != '2' {
		return nil, fmt.Errorf("the snapshot ended: %s %s", status, chunk.Header.Get("Description"))
	}
	return chunk, nil
}

// question asks JetStream's API.
func question(ctx context.Context, nc *nats.Conn, subject string, body, answer any) error {
	var text []byte
	var err error
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 4*snapshotTimeout)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, subject, text)
	if err != nil {
		return err
	}
	var failure struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &failure); err != nil {
		return err
	}
	if failure.Error != nil {
		return failure.Error
	}
	return json.Unmarshal(m.Data, answer)
}

// bucket copies the log's keys, but for those that stand there. The sealer's lease names a process
// that is gone.
func (m *mover) bucket(ctx context.Context, name string) error {
	from, err := m.from.KeyValue(ctx, name)
	if err != nil {
		return err
	}
	to, err := m.to.KeyValue(ctx, name)
	if err != nil {
		return err
	}
	keys, err := from.ListKeys(ctx)
	if err != nil {
		return err
	}
	defer keys.Stop()
	for key := range keys.Keys() {
		if of, rest, _ := strings.Cut(key, "/"); of != m.cfg.Log || strings.HasPrefix(rest, "lease") {
			continue
		}
		e, err := from.Get(ctx, key)
		if err != nil {
			return err
		}
		if old, err := to.Get(ctx, key); err == nil && bytes.Equal(old.Value(), e.Value()) {
			continue
		}
		if _, err := to.Put(ctx, key, e.Value()); err != nil {
			return err
		}
	}
	return nil
}

// objects copies the log's archive, but for what stands there.
func (m *mover) objects(ctx context.Context) error {
	from, err := m.from.ObjectStore(ctx, streams.ArchiveBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	to, err := m.to.ObjectStore(ctx, streams.ArchiveBucket)
	if err != nil {
		return err
	}
	list, err := from.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil
	} else if err != nil {
		return err
	}
	for _, o := range list {
		if of, _, _ := strings.Cut(o.Name, "/"); of != m.cfg.Log {
			continue
		}
		if old, err := to.GetInfo(ctx, o.Name); err == nil && old.Digest == o.Digest {
			continue
		}
		r, err := from.Get(ctx, o.Name)
		if err != nil {
			return err
		}
		_, err = to.Put(ctx, o.ObjectMeta, io.Reader(r))
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
