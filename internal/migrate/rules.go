package migrate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams"
	"github.com/sealstream/sealstream/streams/subject"
)

// Upgrade is what UpgradeRules has done.
type Upgrade struct {
	Before  uint64 // number of the sealing rules before
	After   uint64 // number of the rules of the config that was published; Before if there was none
	Widened bool   // EVENTS accepts what services write since this call
	Sealed  bool   // the config is sealed
}

// ErrPrivate reports that a log cannot be raised because of its private fields.
var ErrPrivate = errors.New("the config names private fields that rules 4 do not allow")

// UpgradeRulesAt raises the sealing rules of a log on a NATS server, as its administrator, to the
// newest that this release knows. EVENTS is widened first. It waits until the config is sealed, but
// not longer than wait.
func UpgradeRulesAt(ctx context.Context, to natsconn.ConnFlags, log string, wait time.Duration) (Upgrade, error) {
	nc, err := to.Reach(cluster.RoleAdmin).Connect("sealstream rules upgrade", slog.New(slog.DiscardHandler))
	if err != nil {
		return Upgrade{}, err
	}
	defer nc.Close()
	l, u, err := publishRules(ctx, nc, log)
	for end := time.Now().Add(wait); err == nil && !u.Sealed && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return u, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		var c *entry.Config
		if c, _, err = store.NewestConfig(ctx, l); err == nil {
			u.Sealed = c.Rules >= u.After
		}
	}
	return u, err
}

// UpgradeRulesIn raises the sealing rules of the log in a data directory that no process uses, and
// seals the config.
func UpgradeRulesIn(ctx context.Context, dir string) (u Upgrade, err error) {
	if err := datadir.Check(dir); err != nil {
		return u, err
	}
	d, err := datadir.Open(dir)
	if err != nil {
		return u, err
	}
	defer d.Close()
	keys, err := datadir.LoadKeys(d.Join(datadir.FileKey), d.Join(datadir.FileSecret))
	if err != nil {
		return u, err
	}
	log := datadir.LogOfKey(keys.Signer.VerifierKey())
	server, err := natsd.Start(ctx, natsd.Config{StoreDir: d.Join(datadir.DirNATS), InProcess: true, Log: log})
	if err != nil {
		return u, err
	}
	defer server.Shutdown()
	nc, err := server.Connect(nats.Name("sealstream rules upgrade"))
	if err != nil {
		return u, err
	}
	defer nc.Close()
	l, u, err := publishRules(ctx, nc, log)
	if err != nil || u.Sealed {
		return u, err
	}
	err = sealUntil(ctx, sealer.Config{
		Log: archive.Through(l), Signer: keys.Signer, Keys: keys.Former, Secret: keys.Secret,
		Mark: d.Join(datadir.FileMark), Snapshot: filepath.Join(dir, datadir.DirSnapshot), KeepEvents: true,
		Logger: slog.New(slog.DiscardHandler),
	}, func(*sealer.Sealer) bool {
		c, _, err := store.NewestConfig(ctx, l)
		u.Sealed = err == nil && c.Rules >= u.After
		return u.Sealed
	})
	return u, err
}

// publishRules widens EVENTS and publishes the config, unless the log has the rules already.
func publishRules(ctx context.Context, nc *nats.Conn, log string) (*store.Log, Upgrade, error) {
	var u Upgrade
	l, err := natsstore.Open(ctx, nc, streams.Config{Log: log})
	if err != nil {
		return nil, u, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, u, err
	}
	c, index, err := store.NewestConfig(ctx, archive.Through(l))
	if err != nil {
		return nil, u, fmt.Errorf("config of log %s: %w", log, err)
	}
	u = Upgrade{Before: c.Rules, After: c.Rules, Sealed: true}
	if c.Rules >= ruleset.Known {
		return l, u, nil
	}
	next := *c
	next.Rules, next.Previous = ruleset.Known, &index
	body := inbox.FormatControl(rand.Text(), next.Origin, entry.TypeConfig, next.AppendJSON(nil))
	m := entry.Message{Subject: subject.Control(log), Data: body}
	if _, _, err := m.Control(); err != nil {
		if next.Redaction != nil && len(next.Redaction.Private) > 0 {
			err = fmt.Errorf("%w: %w; change the log's redaction first", ErrPrivate, err)
		}
		return nil, u, err
	}
	if u.Widened, err = streams.AllowServices(ctx, js, log); err != nil {
		return nil, u, err
	}
	if _, err := l.Events.Append(ctx, m, nil); err != nil {
		return nil, u, fmt.Errorf("publish config: %w", err)
	}
	u.After, u.Sealed = ruleset.Known, false
	return l, u, nil
}
