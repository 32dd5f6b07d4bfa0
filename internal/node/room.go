package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/pkg/sink"
)

// fileBallast takes some room in a data directory, until there is no other.
const fileBallast = "ballast"

// watchRoom begins to watch the disks of all folders that the log is written to. A disk on which
// nothing can be written is an error here: a server that starts on it might not find its streams.
func (n *Node) watchRoom(sinks []sink.Spec) error {
	folders := []disk.Folder{
		{Path: n.dir.Path, Canary: true},
		{Path: n.dir.Join(datadir.DirNATS)},
		{Path: n.dir.Join(datadir.DirIndex)},
	}
	folders = append(folders, sinkFolders(sinks)...)
	if n.cfg.Archive {
		folders = append(folders, disk.Folder{Path: os.TempDir()}) // segments are made there
	}
	if err := disk.Canary(n.dir.Path); err != nil {
		return fmt.Errorf("data directory %s: nothing can be written: %w", n.dir.Path, err)
	}
	n.room = disk.New(
		disk.Config{Folders: folders, Limits: n.cfg.Disk.Limits(), Ballast: n.dir.Join(fileBallast), Board: n.board},
	)
	return nil
}

// sinkFolders are those of the sinks that write files.
func sinkFolders(sinks []sink.Spec) (list []disk.Folder) {
	for _, s := range sinks {
		if u, err := url.Parse(s.URL); err == nil && u.Scheme == "file" {
			list = append(list, disk.Folder{Path: filepath.Dir(u.Path)})
		}
	}
	return list
}

// addDisk adds what watches the disks of a service. The service goes on without room, which is a
// warning: what it writes to disk it can make again, or catch up on. Folders without a path are
// those that it does not have. It returns nil if there are no others.
func (p *process) addDisk(f settings.DiskFlags, folders ...disk.Folder) *disk.Watcher {
	folders = slices.DeleteFunc(folders, func(f disk.Folder) bool { return f.Path == "" })
	if len(folders) == 0 {
		return nil
	}
	w := disk.New(disk.Config{Folders: folders, Limits: f.Limits(), Board: p.board, Advise: true})
	p.addWatcher(w)
	return w
}

func (p *process) addWatcher(w *disk.Watcher) {
	p.add(part{name: "disk", edge: true, run: w.Run, watch: func(m Metrics) { m.WatchRoom(w) }})
}

// hasRoom is what ingest asks before each group.
func hasRoom(w *disk.Watcher) func(int) error {
	return func(bytes int) error { return w.Room(perByte * uint64(bytes)) }
}

// perByte is about what a byte of EVENTS takes on the disk until it is sealed: payloads, leaves,
// index and what follows. Small events take most.
const perByte = 3

// debt follows how much of EVENTS is not sealed yet.
type debt struct {
	base     uint64
	answered time.Time // when EVENTS last said how much it holds
}

// bytes are what EVENTS holds beyond what it held when all of it was sealed: with --keep-events
// that stays.
func (d *debt) bytes(ctx context.Context, p *pipeline) (uint64, error) {
	sealed := p.sealer.Status().InputSeq // asked before, so that what is sealed meanwhile counts as owed
	info, err := p.log.Events.Info(ctx)
	if err != nil {
		return 0, err
	}
	if d.base = min(d.base, info.Bytes); sealed >= info.Last {
		d.base = info.Bytes
	}
	return info.Bytes - d.base, nil
}

// answerRefused tells agents that publish to EVENTS directly why their events are refused, as
// JetStream tells of an error.
func (n *Node) answerRefused(ctx context.Context) error {
	sub, err := n.conn.Subscribe(n.nats.RefusedSubject(), func(m *nats.Msg) {
		why := errors.New("events are accepted again: send it once more")
		if err := n.room.Full(); err != nil {
			why = err
		}
		body, err := json.Marshal(
			map[string]any{"error": map[string]any{"code": 503, "err_code": codeNoStorage, "description": why.Error()}},
		)
		if err == nil && m.Reply != "" {
			err = m.Respond(body)
		}
		if err != nil {
			n.cfg.Logger.Warn("an agent was not told that its event is refused", "cause", err)
		}
	})
	if err != nil {
		return fmt.Errorf("refused events: %w", err)
	}
	<-ctx.Done()
	return sub.Unsubscribe()
}

// codeNoStorage is JetStream's code for insufficient storage resources.
const codeNoStorage = 10047
