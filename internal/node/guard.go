package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/natsd"
)

// guard keeps the embedded server able to write. While a disk is nearly full it sends away what
// agents publish to EVENTS directly; ingest asks for room by itself. After a failed write JetStream
// gives up the stream until it is started again: guard does that, in this process, as soon as there
// is room. If that does not help, or the server does not stop, it returns the reason, which ends
// the process.
func (n *Node) guard(ctx context.Context) error {
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	var m mender
	d := debt{answered: time.Now()}
	refusing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.nats.Broken():
			if err := m.mend(ctx, n); err != nil {
				return err
			}
			d.answered = time.Now()
		case <-t.C:
			n.owe(ctx, &d)
		}
		full := n.room.Full()
		if (full != nil) == refusing {
			continue
		}
		change := n.nats.Accept
		if refusing = full != nil; refusing {
			change = n.nats.Refuse
			n.cfg.Logger.Warn("new events are refused", "cause", full)
		} else {
			n.cfg.Logger.Warn("new events are accepted again: there is room on the disk")
		}
		if err := change(); err != nil {
			return err
		}
	}
}

// silentAtMost is how long EVENTS may not answer before the server is started again. JetStream can
// lock itself up without a word when a disk is full.
const silentAtMost = time.Minute

// owe tells the watcher how much room the unsealed events still need. While EVENTS does not answer,
// what was known stays.
func (n *Node) owe(ctx context.Context, d *debt) {
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	bytes, err := d.bytes(within, n.pipeline)
	if err == nil {
		d.answered = time.Now()
		n.room.Owe(perByte * bytes)
	} else if ctx.Err() == nil && time.Since(d.answered) > silentAtMost {
		n.nats.GiveUp(fmt.Sprintf("it has not answered for %s: %v", silentAtMost, err))
	}
}

// mayPurge returns an error while a write may fail. A purge during which one fails locks JetStream
// up for good.
func (n *Node) mayPurge() error {
	if why := n.nats.Why(); why != "" {
		return errors.New(why)
	}
	if s, err := disk.Look(n.dir.Join(datadir.DirNATS)); err == nil && s.Free < purgeNeeds {
		return fmt.Errorf("%w: %s", disk.ErrNoRoom, s)
	}
	return nil
}

const purgeNeeds = 1 << 20 // bytes that a purge may write before it frees any

// mender restarts the server, and counts in vain.
type mender struct {
	last   time.Time // when the server was last started again
	inVain int       // restarts in a row after which a write failed within mendedAfter, although there was room
}

const (
	mendedAfter  = time.Minute     // without a failed write, a restart counts as a success
	restartTakes = 2 * time.Minute // at most: it reads all streams
	mostInVain   = 4
	mendPause    = 250 * time.Millisecond // before the second restart in vain; each further one waits twice as long
)

// mend waits for room and restarts the server. It returns an error when it has done so several
// times in vain.
func (m *mender) mend(ctx context.Context, n *Node) error {
	why := n.nats.Why()
	n.cfg.Logger.Error("the store has stopped writing; it is started again as soon as there is room", "cause", why)
	n.board.Set("store", health.Failing,
		"the store has stopped writing: "+why+"; it is started again as soon as there is room")
	waited, ok := n.awaitRoom(ctx)
	if !ok {
		return nil
	}
	if waited || time.Since(m.last) > mendedAfter {
		m.inVain = 0
	}
	for {
		if m.inVain >= mostInVain {
			return n.dead(fmt.Errorf("the store does not write, although it was started again %d times: %s", m.inVain, why))
		}
		if m.inVain > 0 && !pause(ctx, mendPause<<(m.inVain-1)) {
			return nil
		}
		err := m.restart(ctx, n, why)
		switch {
		case err == nil:
			n.board.Set("store", health.OK, "")
			n.cfg.Logger.Warn("the store was started again")
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, natsd.ErrStuck):
			return n.dead(fmt.Errorf("the store has stopped writing: %s: %w", why, err))
		}
		why = err.Error()
		n.board.Set("store", health.Failing, "the store does not start again: "+why)
		n.cfg.Logger.Error("the store does not start again", "cause", why)
		if _, ok := n.awaitRoom(ctx); !ok {
			return nil
		}
	}
}

// restart restarts the server once. If that takes longer than restartTakes, the board says so.
func (m *mender) restart(ctx context.Context, n *Node, why string) error {
	m.inVain++
	stuck := time.AfterFunc(
		restartTakes,
		func() { n.board.Set("store", health.Dead, "the store does not come back: "+why) },
	)
	defer stuck.Stop()
	err := n.nats.Restart(ctx)
	m.last = time.Now()
	return err
}

// dead puts on the board, and returns, why only a new process helps.
func (n *Node) dead(err error) error {
	n.board.Set("store", health.Dead, err.Error())
	return err
}

// awaitRoom waits until there is room; waited says that there was none. It is false when ctx is
// done first.
func (n *Node) awaitRoom(ctx context.Context) (waited, ok bool) {
	for err := n.room.Look(); err != nil; err = n.room.Full() { // what Run saw may be older than the failed write
		waited = true
		if !pause(ctx, 100*time.Millisecond) {
			return waited, false
		}
	}
	return waited, true
}

// pause waits, and is false when ctx is done first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
