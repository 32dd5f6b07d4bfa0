package gate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/retry"
)

// condition is the name of the condition that says whether the file is in force.
const condition = "access"

// file is what is known of the file of rules.
type file struct {
	seen    []byte // text at the last look
	settled bool   // seen was looked at
	inForce []byte // text of the version in force
	told    []byte // text that Announce had last: the log may have it, also after an error
	wrong   string // what is wrong with the file; "": nothing

	next   *access.Version // to come into force; nil: none
	text   []byte          // of next
	after  time.Time       // when to announce next
	pauses *retry.Pauses
}

func newFile(text []byte, v *access.Version) file {
	f := file{seen: text, settled: true}
	f.propose(text, v)
	return f
}

// propose makes a version the next one, whatever was to come before.
func (f *file) propose(text []byte, v *access.Version) {
	f.next, f.text, f.after = v, text, time.Time{}
	f.pauses = retry.New(100*time.Millisecond, 5*time.Second)
}

// look reads the file, and brings its version into force if it is a new one. A text counts once two
// looks have found it, so that a file that is being written is not read half.
func (g *Gate) look(ctx context.Context, now time.Time) {
	text, err := readFile(g.cfg.File)
	switch {
	case err != nil:
		g.file.seen, g.file.settled = nil, false
		g.broken(err)
	case !bytes.Equal(text, g.file.seen):
		g.file.seen, g.file.settled = text, false
	case !g.file.settled:
		g.file.settled = true
		g.parse(text)
	}
	if g.file.next != nil && !now.Before(g.file.after) {
		g.announce(ctx)
	}
}

func (g *Gate) parse(text []byte) {
	v, err := g.cfg.Parse(g.cfg.File, text)
	switch {
	case err != nil:
		g.keep()
		g.broken(err)
	case bytes.Equal(text, g.file.inForce):
		g.file.wrong = ""
		if g.keep(); g.file.next == nil {
			g.cfg.Health.Set(condition, health.OK, "")
		}
	default:
		g.file.wrong = ""
		g.file.propose(text, v)
	}
}

// keep drops the version that was to come into force. If the log may name it, the version in force
// is announced again.
func (g *Gate) keep() {
	f := &g.file
	f.next = nil
	if f.inForce != nil && !bytes.Equal(f.told, f.inForce) {
		again := *g.force.Load()
		f.propose(f.inForce, &again)
	}
}

// broken says that the file cannot be used. The version before stays in force.
func (g *Gate) broken(err error) {
	g.stats.broken.Add(1)
	text := "the rules of access in force are older than their file, which is wrong: " + err.Error()
	if g.cfg.Health.State(condition) != health.Warning {
		g.cfg.Logger.Warn("the file of rules of access is wrong; the rules before stay in force",
			"file", g.cfg.File, "cause", err)
	}
	g.file.wrong = text
	g.cfg.Health.Set(condition, health.Warning, text)
}

// announce seals the next version, and puts it in force. A crash in between leaves an entry of a
// version that did not come into force here; the next start announces the file again.
func (g *Gate) announce(ctx context.Context) {
	f := &g.file
	if g.cfg.Announce != nil {
		f.told = f.text
		limited, cancel := context.WithTimeout(ctx, announceTimeout)
		index, err := g.cfg.Announce(limited, f.text)
		cancel()
		if err != nil {
			f.after = time.Now().Add(f.pauses.Next())
			if ctx.Err() == nil {
				g.cfg.Health.Set(condition, health.Warning,
					"new rules of access are not in force, as they cannot be sealed: "+err.Error())
			}
			return
		}
		f.next.Entry = index
	}
	f.inForce = f.text
	g.putInForce(f.next)
	f.next, f.text = nil, nil
	if f.wrong == "" {
		g.cfg.Health.Set(condition, health.OK, "")
	}
	g.cfg.Logger.Info("rules of access are in force", "file", g.cfg.File,
		"identities", len(g.force.Load().Rules().Identities))
}

// readAtMost reads up to a number of bytes.
func readAtMost(r io.Reader, most int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, most))
}

var errNotInForce = errors.New("the rules of access are not in force yet")
