package node

import (
	"context"
	"errors"
	"slices"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/sealer"
)

// sealerConfig configures the sealer of a process. The zero value of a field is sealer.Config's.
type sealerConfig struct {
	keys       datadir.Keys
	mark       string // file of the newest checkpoint seen; "": none
	snapshot   string // folder of the sealer's snapshot; "": none
	checkMark  bool   // compare the end of SEALED with the mark before anything is served
	await      bool   // wait for a cluster that does not answer yet
	eventsOpen bool   // for a new log: agents publish without a token of their own
	closes     bool   // the log takes no events on events.open any more
	openEpoch  string // reason to go on although EVENTS lost something; "": that is an error
	redaction  redaction
	rules      uint64 // of a new log; 0: the newest
	keepEvents bool
	holder     string
	guard      func() error // called before each commit; nil: no check
	mayPurge   func() error // called before EVENTS is purged; nil: no check
	handover   *inbox.Handover
}

// addSealer creates the log if it does not exist, asks for the epoch, keys and redaction that the
// settings want, and adds the sealer.
func (p *process) addSealer(ctx context.Context, cfg sealerConfig) error {
	if !cfg.closes {
		if err := p.refuseOpen(ctx, cfg.await); err != nil {
			return err
		}
	}
	sc := sealer.Config{
		Log: p.log, Signer: cfg.keys.Signer, Keys: cfg.keys.Former, Secret: cfg.keys.Secret,
		Mark: cfg.mark, Snapshot: cfg.snapshot, Holder: cfg.holder, Guard: cfg.guard, MayPurge: cfg.mayPurge,
		Rules: cfg.rules, KeepEvents: cfg.keepEvents, Handover: cfg.handover, Redaction: cfg.redaction.created(),
		Observe: p.metrics.ObserveSealer(), Logger: p.logger,
	}
	create := func() (struct{}, error) { return struct{}{}, sealer.Create(ctx, sc, cfg.eventsOpen) }
	var err error
	if cfg.await {
		_, err = natsconn.WaitForAnswer(ctx, p.logger, create)
	} else {
		_, err = create()
	}
	if err != nil {
		return err
	}
	if cfg.checkMark {
		if err := passesMark(ctx, p.streams, cfg.mark, p.keys); err != nil {
			return err
		}
	}
	if err := cfg.announce(ctx, sc); err != nil {
		return err
	}
	if p.sealer, err = sealer.New(sc); err != nil {
		return err
	}
	p.add(part{
		name: "sealer", run: p.sealer.Run, ready: p.sealerReady,
		watch: func(m Metrics) { m.WatchSealer(p.log, p.sealer) },
	})
	return nil
}

// sealerReady: a sealer is ready once it has opened the log. That it lags is for /metrics to say.
func (p *process) sealerReady(context.Context) (map[string]any, error) {
	status := p.sealer.Status()
	if status.Size == 0 {
		return nil, errors.New("the log is not opened yet")
	}
	role := "standby"
	if status.Active {
		role = "active"
	}
	return map[string]any{"tree_size": status.Size, "role": role}, nil
}

// announce opens a new input epoch if a reason for one is given, and asks for the keys and the
// redaction that the settings want.
func (cfg sealerConfig) announce(ctx context.Context, sc sealer.Config) error {
	if cfg.openEpoch != "" {
		if _, err := sealer.OpenEpoch(ctx, sc, cfg.openEpoch); err != nil {
			return err
		}
	}
	if err := announceKeys(ctx, sc, cfg.keys); err != nil {
		return err
	}
	if cfg.closes {
		if _, err := sealer.AnnounceClosed(ctx, sc); err != nil {
			return err
		}
	}
	return cfg.redaction.announce(ctx, sc)
}

// announceKeys asks for the config that the keys want, where a rotation is under way, and drops the
// private parts that have no use any more.
func announceKeys(ctx context.Context, cfg sealer.Config, k datadir.Keys) error {
	if len(k.Signer.VerifierKeys()) == 1 {
		return nil
	}
	active, err := sealer.ActiveKeys(ctx, cfg)
	if err != nil || active == nil {
		return err
	}
	want := k.Active
	if !slices.ContainsFunc(active, func(vkey string) bool { return slices.Contains(want, vkey) }) {
		want = k.Signer.VerifierKeys() // the overlap comes first
	}
	if asked, err := sealer.AnnounceKeys(ctx, cfg, want); err != nil || asked || !slices.Equal(active, k.Active) {
		return err
	}
	return k.DropRetired()
}
