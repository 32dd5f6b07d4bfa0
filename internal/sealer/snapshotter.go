package sealer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// snapshotter writes snapshots after commits, and restores the newest one at the first start.
// Records of committed entries never change, so each snapshot copies only the new ones.
type snapshotter struct {
	files        snapshotFiles
	key          snapshotKey
	origin       string
	limit, slack uint64
	pieceSize    uint64
	hooks        *hooks
	logger       *slog.Logger // with the log's name

	of     *window // the window that pieces are of
	pieces []piece // written and durable
	named  []piece // those that the newest head names
	size   uint64  // of the newest snapshot, or of the attempt that failed; 0 if there is none
	sealed uint64  // its SEALED sequence
	buffer []byte
}

// snapshotMessages is how many SEALED messages make a snapshot due, however few entries they have:
// a start verifies the signature of each.
const snapshotMessages = 2048

func newSnapshotter(s *Sealer) *snapshotter {
	return &snapshotter{
		files: s.cfg.snapshot, key: newSnapshotKey(s.cfg.Secret), origin: s.identity.origin,
		limit: s.cfg.window, slack: s.cfg.slack, pieceSize: s.cfg.pieceSize,
		hooks: s.cfg.hooks, logger: s.logger.With("log", s.identity.logName),
	}
}

// due reports whether a start would read much more than it must.
func (p *snapshotter) due(c committed) bool {
	return c.batch.Size >= p.size+p.pieceSize || c.batch.Size > p.size && c.sealed >= p.sealed+snapshotMessages
}

// write writes a snapshot of the state after c if it is due. The mark must have reached c before,
// since a snapshot beyond it does not count. The order makes every crash harmless: the pieces under
// new names, then the head, which is the only file that is replaced, and last the removal of what
// the head no longer names.
func (p *snapshotter) write(ctx context.Context, c committed) error {
	if p.of != c.tip.window {
		p.of, p.pieces, p.size, p.sealed = c.tip.window, nil, 0, 0
	}
	if !p.due(c) {
		return nil
	}
	err := p.writePieces(ctx, c)
	if errors.Is(err, errOverwritten) {
		p.pieces = nil // begin again with what the ring has
		err = p.writePieces(ctx, c)
	}
	switch {
	case errors.Is(err, errUnsettled), errors.Is(err, errOverwritten):
		return nil // a later commit will do
	case err == nil:
		err = p.writeHead(c)
	}
	if err != nil && ctx.Err() != nil {
		return err
	} else if err != nil {
		// the disk may be full, and the mark needs room too: what no head names goes
		p.pieces = slices.DeleteFunc(p.pieces, func(q piece) bool { return !slices.Contains(p.named, q) })
	}
	// after an error too, or each second would write as much again
	p.size, p.sealed = c.batch.Size, c.sealed
	if err = errors.Join(err, p.clear()); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// start returns the first index of a snapshot that begins anew: more than the window, since a
// message that is sealed in part is taken back.
func (p *snapshotter) start(size uint64) uint64 {
	reach := p.limit + p.slack/2
	return max(size-min(size, reach), p.of.held())
}

// covers reports whether a snapshot of that size may begin with index first.
func (p *snapshotter) covers(first, size uint64) bool {
	return first == 0 || size >= first+p.limit+p.slack/4
}

// writePieces writes the pieces that are missing up to the size of c, and drops those that are no
// longer needed.
func (p *snapshotter) writePieces(ctx context.Context, c committed) error {
	p.pieces = slices.DeleteFunc(p.pieces, func(q piece) bool { return q.End%p.pieceSize != 0 })
	first := p.start(c.batch.Size)
	next := first
	if n := len(p.pieces); n > 0 {
		first, next = p.pieces[0].First, p.pieces[n-1].End
	}
	if !p.covers(first, c.batch.Size) {
		return errOverwritten
	}
	for next < c.batch.Size {
		if err := ctx.Err(); err != nil {
			return err
		}
		q := piece{
			Number: next / p.pieceSize, First: next, End: min((next/p.pieceSize+1)*p.pieceSize, c.batch.Size),
			Rules: c.tip.config.Rules, Size: c.batch.Size, Root: c.batch.Root,
		}
		if err := p.writePiece(q); err != nil {
			return err
		}
		next = q.End
	}
	for len(p.pieces) > 1 && c.batch.Size >= p.pieces[1].First+p.limit+p.slack/2 {
		p.pieces = p.pieces[1:]
	}
	return nil
}

func (p *snapshotter) writePiece(q piece) (err error) {
	if p.hooks.copiesUnsettled() {
		p.of.settle(q.End)
	}
	if p.buffer, err = p.of.appendRecords(p.buffer[:0], q.First, q.End); err != nil {
		return err
	}
	p.hooks.record(p.buffer)
	q.MAC = p.key.pieceMAC(p.origin, q, p.buffer)
	if err := p.files.write(q.file(), p.buffer); err != nil {
		return fmt.Errorf("piece %d: %w", q.Number, err)
	}
	p.pieces = append(p.pieces, q)
	return nil
}

func (p *snapshotter) writeHead(c committed) error {
	h := snapshot{
		Origin: p.origin, Rules: c.tip.config.Rules, Size: c.batch.Size, Root: c.batch.Root, Window: p.limit,
		Sealed: c.sealed, Batch: batchFields(c.batch), Last: c.tip.last, Partial: c.tip.partial,
		Config: c.tip.config.AppendJSON(nil), Created: c.tip.created, CreatedEpoch: c.tip.createdEpoch,
		Access: c.tip.service.access, Bare: c.tip.service.bare, Pieces: p.pieces,
	}
	text, err := h.format(p.key)
	if err != nil {
		return err
	}
	if err := p.files.write(headFile, text); err != nil {
		return fmt.Errorf("head: %w", err)
	}
	p.named = slices.Clone(p.pieces)
	return nil
}

// clear removes what neither the head nor the next snapshot needs: old pieces, and what a crash or
// an error has left. If somebody else has removed a piece, the next snapshot has new ones.
func (p *snapshotter) clear() error {
	names, err := p.files.list()
	if err != nil {
		return err
	}
	keep := map[string]bool{headFile: true}
	for _, q := range slices.Concat(p.pieces, p.named) {
		keep[q.file()] = true
	}
	if slices.ContainsFunc(p.pieces, func(q piece) bool { return !slices.Contains(names, q.file()) }) {
		p.pieces = nil
	}
	for _, name := range names {
		ours := strings.HasPrefix(name, pieceFile) || strings.HasPrefix(name, headFile+".")
		if !ours || keep[name] {
			continue
		}
		err = errors.Join(err, p.files.remove(name))
	}
	return err
}

// tip is what a snapshot needs of the state after a batch, beside the batch itself.
type tip struct {
	last         entry.Hash // entry hash of the newest entry
	config       *entry.Config
	created      string
	createdEpoch uint64
	partial      [][]byte
	service      serviceState
	window       *window
}

// newest returns the newest batch of the log, for the duties.
func (t *tail) newest() committed {
	return committed{batch: t.chain.Batch(), sealed: t.lastValid, tip: &tip{
		last: t.chain.LastHash(), config: t.config, created: t.created, createdEpoch: t.createdEpoch,
		partial: t.partialLeaves, service: t.service, window: t.window,
	}}
}
