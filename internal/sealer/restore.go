package sealer

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
)

// tryRestore places the walk after the batch of the snapshot, if there is one that may be used. It
// returns an error only if the store gave no answer.
func (t *tail) tryRestore(ctx context.Context, end uint64) (done bool, err error) {
	p := t.restore
	if p == nil || t.fromFirst {
		return false, nil
	}
	err = p.restore(ctx, t, end)
	switch {
	case err == nil:
		p.logger.InfoContext(ctx, "sealer starts from its snapshot", "size", p.size)
		t.restored = true
		return true, nil
	case !errors.Is(err, errSnapshot):
		return false, err
	case !errors.Is(err, errNoSnapshot):
		p.refuse(ctx, err)
	}
	t.restore = nil
	return false, nil
}

// errNoSnapshot is the reason that needs no warning.
var errNoSnapshot = fmt.Errorf("%w: there is none", errSnapshot)

func (p *snapshotter) refuse(ctx context.Context, why error) {
	p.logger.WarnContext(ctx, "sealer does not use its snapshot and reads more of the log instead", "cause", why)
}

// restore sets the tail to the state after the batch of the snapshot. An error that wraps
// errSnapshot means that it must not be used; the tail is then as it was.
func (p *snapshotter) restore(ctx context.Context, t *tail, end uint64) error {
	h, err := p.read(t.newestSeen)
	if err != nil {
		return err
	}
	size, err := t.hintSize(ctx, end)
	if err != nil {
		return err
	}
	if size < h.Size || size-h.Size >= p.limit+p.slack {
		return fmt.Errorf("%w: of size %d, but the log ends with size %d", errSnapshot, h.Size, size)
	}
	config, err := h.config()
	if err != nil {
		return err
	}
	batch, err := p.batch(ctx, t.log, h)
	if err != nil {
		return err
	}
	chain, err := audit.ResumeChain(batch, batch.Leaves[len(batch.Leaves)-1], t.keys...)
	if err != nil {
		return fmt.Errorf("%w: %w", errSnapshot, err)
	}
	w, err := p.readWindow(h)
	if err != nil {
		return err
	}
	t.chain, t.window, t.partialLeaves = chain, w, h.Partial
	t.lastRead, t.lastValid = h.Sealed, h.Sealed
	t.config, t.configIndex = config, batch.Config
	t.service = serviceState{access: h.Access, bare: h.Bare}
	if h.Created != "" { // otherwise it was not found, and is searched again
		t.created, t.createdEpoch = h.Created, h.CreatedEpoch
	}
	p.of, p.pieces, p.named, p.size, p.sealed = w, h.Pieces, slices.Clone(h.Pieces), h.Size, h.Sealed
	return nil
}

// read reads the head. It must be this log's, and not beyond the newest checkpoint seen: SEALED may
// have been rolled back, and only the walk through that checkpoint shows it.
func (p *snapshotter) read(seen *proof.Checkpoint) (*snapshot, error) {
	text, err := p.files.read(headFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoSnapshot
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	h, err := parseSnapshot(text, p.key)
	if err != nil {
		return nil, err
	}
	switch {
	case h.Origin != p.origin || h.Window != p.limit:
		return nil, fmt.Errorf("%w: of %s with a window of %d", errSnapshot, h.Origin, h.Window)
	case seen == nil || h.Size > seen.Size:
		return nil, fmt.Errorf("%w: of size %d, beyond the newest checkpoint seen", errSnapshot, h.Size)
	case h.Size == seen.Size && h.Root != seen.Root:
		return nil, fmt.Errorf("%w: another root of size %d than the checkpoint seen", errSnapshot, h.Size)
	}
	return h, nil
}

// batch reads the batch of the snapshot. The checkpoint signs neither headers nor the chain, and a
// start right after this batch finds them nowhere else, so the snapshot has all of them.
func (p *snapshotter) batch(ctx context.Context, log *store.Log, h *snapshot) (sealedlog.Batch, error) {
	m, err := log.Sealed.Get(ctx, h.Sealed)
	if errors.Is(err, store.ErrNotFound) {
		return sealedlog.Batch{}, fmt.Errorf("%w: SEALED has no sequence %d", errSnapshot, h.Sealed)
	} else if err != nil {
		return sealedlog.Batch{}, fmt.Errorf("SEALED sequence %d: %w", h.Sealed, err)
	}
	b, err := sealedlog.ParseBatch(m)
	if err != nil || !h.describes(b) {
		return b, fmt.Errorf("%w: SEALED sequence %d is not its batch of size %d", errSnapshot, h.Sealed, h.Size)
	}
	n, last := len(h.Partial), b.Leaves[len(b.Leaves)-1]
	if n != max(b.Input.Place, 0) || n > 0 && !bytes.Equal(h.Partial[n-1], last) {
		return b, fmt.Errorf("%w: its leaves are not those of the message at the end", errSnapshot)
	}
	return b, nil
}

// readWindow reads the pieces.
func (p *snapshotter) readWindow(h *snapshot) (*window, error) {
	if len(h.Pieces) == 0 || !p.covers(h.Pieces[0].First, h.Size) {
		return nil, fmt.Errorf("%w: its pieces do not reach back far enough", errSnapshot)
	}
	first := max(h.Pieces[0].First, h.Size-min(h.Size, p.limit+p.slack)) // what the ring can hold
	next := h.Pieces[0].First
	w := newWindow(p.limit, p.slack, first)
	for _, q := range h.Pieces {
		if q.First != next || q.End <= q.First || q.End > h.Size || q.Size > h.Size {
			return nil, fmt.Errorf("%w: piece %d is out of place", errSnapshot, q.Number)
		}
		content, err := p.readPiece(q)
		if err != nil {
			return nil, err
		}
		if next = q.End; q.End > first {
			w.addRecords(content[(max(first, q.First)-q.First)*uint64(recordBytes):])
		}
	}
	if next != h.Size {
		return nil, fmt.Errorf("%w: its pieces end at %d, not %d", errSnapshot, next, h.Size)
	}
	w.settle(h.Size)
	return w, nil
}

func (p *snapshotter) readPiece(q piece) ([]byte, error) {
	content, err := p.files.read(q.file())
	if err != nil {
		return nil, fmt.Errorf("%w: piece %d: %w", errSnapshot, q.Number, err)
	}
	mac := p.key.pieceMAC(p.origin, q, content)
	if !p.hooks.trustsPieces() && !hmac.Equal(mac[:], q.MAC[:]) ||
		uint64(len(content)) != (q.End-q.First)*uint64(recordBytes) {
		return nil, fmt.Errorf("%w: piece %d is cut, damaged or another's", errSnapshot, q.Number)
	}
	return content, nil
}
