package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TileSource reads the files of a c2sp.org/tlog-tiles log, from a directory or a server.
type TileSource interface {
	// Read returns the file at a path, such as checkpoint or tile/0/000.p/7. The error of a missing
	// file wraps fs.ErrNotExist.
	Read(path string) ([]byte, error)
	// Widths returns the widths of the partial tiles beside a full tile's path. A source that cannot
	// list them returns nil.
	Widths(path string) ([]int, error)
}

// Tiles audits a log from its tiles: every entry as Log does, every tile of hashes, and the
// checkpoint. Tiles hold no data, so none is checked. Errors are those of Log.
func Tiles(cfg Config, src TileSource) (Report, error) {
	cfg.Payloads = nil
	x := &tileAudit{auditor: newAuditor(cfg), walk: newWalk(), src: src, keys: cfg.Keys}
	err := x.run()
	if err != nil {
		err = x.broken(err, x.cp.Origin, cfg.Keys)
	}
	r := x.out
	r.Log, r.Origin, r.Size, r.Root = x.walk.log, x.walk.origin, x.walk.frontier.Size(), x.walk.frontier.Root()
	r.Checkpoint, r.Keys, r.Named = x.note, x.keys, x.walk.named
	if len(x.keys) > 0 {
		r.Key = x.keys[0]
	}
	return r, err
}

// tileAudit is one run of Tiles.
type tileAudit struct {
	*auditor
	walk *walk
	src  TileSource
	keys []string
	note []byte
	cp   proof.Checkpoint
	rows [][]entry.Hash // by level, the hashes of the tile that is not compared yet
	done []uint64       // by level, how many tiles were compared
}

// ErrTiles is wrapped by the errors of a source that holds no tiles.
var ErrTiles = errors.New("not the tiles of a log")

func (x *tileAudit) run() (err error) {
	if x.note, err = x.src.Read("checkpoint"); err != nil {
		return fmt.Errorf("%w: checkpoint: %w", ErrTiles, err)
	}
	if x.cp, err = readHead(x.note, x.keys); err != nil {
		return mismatch(0, CheckSignature, "the checkpoint: %v", err)
	}
	for x.walk.frontier.Size() < x.cp.Size {
		if err := x.bundle(); err != nil {
			return err
		}
	}
	return x.finish()
}

// open opens the checkpoint. If that fails, no entry is vouched for.
func (x *tileAudit) open() (err error) {
	if x.cp, err = proof.OpenCheckpoint(x.note, x.keys...); errors.Is(err, proof.ErrNotSigned) && len(x.cfg.Keys) == 0 {
		return mismatch(0, CheckSignature, "the checkpoint: %v", errSelf)
	} else if err != nil {
		return mismatch(0, CheckSignature, "the checkpoint: %v", err)
	}
	return nil
}

// bundle reads the next entries, up to a full tile of them.
func (x *tileAudit) bundle() error {
	first := x.walk.frontier.Size()
	n, width := first/merkle.TileWidth, min(merkle.TileWidth, x.cp.Size-first)
	raw, err := x.file(merkle.BundlePath(n, 0), int(width), first, func(raw []byte, width int) ([]byte, bool) {
		entries, rest, ok := cutBundle(raw, width)
		return raw[:len(raw)-len(rest)], ok && len(entries) == width
	})
	if err != nil {
		return err
	}
	leaves, rest, ok := cutBundle(raw, int(width))
	if !ok || len(rest) > 0 {
		return mismatch(first, CheckLeaf, "%s does not hold %d entries, and nothing else",
			merkle.BundlePath(n, int(width)), width)
	}
	for _, leaf := range leaves {
		x.push(0, entry.LeafHash(leaf))
	}
	if err := x.compare(0); err != nil {
		// first: it names an entry that was altered, where the chain names the one after it
		return err
	}
	for i, leaf := range leaves {
		e, err := entry.ParseEntry(leaf)
		if err != nil {
			return mismatch(first+uint64(i), CheckLeaf, "%v", err)
		}
		if err := x.walk.entry(&e); err != nil {
			return err
		}
		if err := x.entry(&e); err != nil {
			return err
		}
	}
	x.out.Batches++
	if x.cfg.Progress != nil {
		x.cfg.Progress(x.walk.frontier.Size())
	}
	return x.others(merkle.BundlePath(n, 0), int(width), first, func(width int) []byte {
		entries, _, _ := cutBundle(raw, width)
		return raw[:bundleSize(entries)]
	})
}

// file reads a tile of a width. If the log has grown since, a wider tile may have replaced it, and
// is cut.
func (x *tileAudit) file(
	full string,
	width int,
	index uint64,
	cut func(raw []byte, width int) ([]byte, bool),
) ([]byte, error) {
	path := full
	if width < merkle.TileWidth {
		path = fmt.Sprintf("%s.p/%d", full, width)
	}
	raw, err := x.src.Read(path)
	if errors.Is(err, fs.ErrNotExist) && width < merkle.TileWidth {
		if raw, err = x.wider(full, width); err == nil {
			var ok bool
			if raw, ok = cut(raw, width); !ok {
				return nil, mismatch(index, CheckTile, "%s is too short", full)
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, mismatch(index, CheckMissing, "%s is missing", path)
	}
	return raw, err
}

// wider reads a tile that is wider than a width: the full one, or else the widest beside it.
func (x *tileAudit) wider(full string, width int) ([]byte, error) {
	raw, err := x.src.Read(full)
	if !errors.Is(err, fs.ErrNotExist) {
		return raw, err
	}
	widths, listed := x.src.Widths(full)
	if listed != nil {
		return nil, listed
	}
	if len(widths) == 0 || slices.Max(widths) <= width {
		return nil, err
	}
	return x.src.Read(fmt.Sprintf("%s.p/%d", full, slices.Max(widths)))
}

// others compares the partial tiles of smaller sizes that a directory still has. Wider ones belong
// to a later checkpoint.
func (x *tileAudit) others(full string, width int, index uint64, want func(width int) []byte) error {
	widths, err := x.src.Widths(full)
	if err != nil {
		return err
	}
	for _, w := range widths {
		if w >= width {
			continue
		}
		path := fmt.Sprintf("%s.p/%d", full, w)
		raw, err := x.src.Read(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if !bytes.Equal(raw, want(w)) {
			return mismatch(index, CheckTile, "%s is not the begin of the tile", path)
		}
	}
	return nil
}

// push adds a hash to a level's row.
func (x *tileAudit) push(level int, h entry.Hash) {
	for len(x.rows) <= level {
		x.rows, x.done = append(x.rows, nil), append(x.done, 0)
	}
	x.rows[level] = append(x.rows[level], h)
}

// compare compares a level's row with its tile. A full tile becomes a hash of the level above,
// which may then be full too.
func (x *tileAudit) compare(level int) error {
	row, n := x.rows[level], x.done[level]
	first := n * merkle.TileWidth << (8 * level) // index of the tile's first leaf
	want := make([]byte, 0, len(row)*len(entry.Hash{}))
	for _, h := range row {
		want = append(want, h[:]...)
	}
	full := merkle.TilePath(level, n, 0)
	raw, err := x.file(full, len(row), first, func(raw []byte, width int) ([]byte, bool) {
		size := width * len(entry.Hash{})
		return raw[:min(size, len(raw))], len(raw) >= size
	})
	if err != nil {
		return err
	}
	if !bytes.Equal(raw, want) {
		at := 0
		for at < min(len(raw), len(want)) && raw[at] == want[at] {
			at++
		}
		at = min(at/len(entry.Hash{}), len(row)-1)
		return mismatch(first+uint64(at)<<(8*level), CheckTile, "%s is not made of the entries",
			merkle.TilePath(level, n, len(row)))
	}
	narrower := func(width int) []byte { return want[:width*len(entry.Hash{})] }
	if err := x.others(full, len(row), first, narrower); err != nil {
		return err
	}
	if len(row) < merkle.TileWidth {
		return nil
	}
	x.rows[level], x.done[level] = row[:0], n+1
	x.push(level+1, merkle.PerfectRoot(row))
	if len(x.rows[level+1]) == merkle.TileWidth {
		return x.compare(level + 1)
	}
	return nil
}

// finish checks what only the whole tree shows.
func (x *tileAudit) finish() error {
	size := x.walk.frontier.Size()
	if size == 0 {
		return mismatch(0, CheckCut, "a log has at least its config")
	}
	for level := 1; level < len(x.rows); level++ {
		if len(x.rows[level]) > 0 {
			if err := x.compare(level); err != nil {
				return err
			}
		}
	}
	if x.walk.frontier.Root() != x.cp.Root {
		return mismatch(size-1, CheckRoot, "the checkpoint has another root than the entries make")
	}
	if x.walk.origin != x.cp.Origin {
		return mismatch(0, CheckOrigin, "the checkpoint is of %.80q, the log of %.80q", x.cp.Origin, x.walk.origin)
	}
	named := x.walk.config.Detail.(*entry.Config).Keys
	if len(x.keys) == 0 {
		x.keys = named
		if err := x.open(); err != nil {
			return err
		}
	} else if err := x.inForce(named); err != nil {
		return err
	}
	return x.auditor.end(size, x.walk.origin, slices.Concat(x.keys, x.walk.named))
}

// inForce checks that an active key has signed: one of the given keys that the newest config names.
// A retired key signs nothing any more.
func (x *tileAudit) inForce(named []string) error {
	signing := slices.DeleteFunc(slices.Clone(x.keys), func(k string) bool { return !slices.Contains(named, k) })
	if len(signing) == 0 {
		return mismatch(0, CheckSignature, "%v", errNotNamed)
	}
	if _, err := proof.OpenCheckpoint(x.note, signing...); err != nil {
		return mismatch(0, CheckSignature, "the checkpoint: no key in force has signed it: %v", err)
	}
	return nil
}

// cutBundle takes up to width entries from the start of a bundle. rest is what follows them.
func cutBundle(raw []byte, width int) (entries [][]byte, rest []byte, ok bool) {
	for len(entries) < width {
		if len(raw) < 2 {
			return entries, raw, false
		}
		n := int(binary.BigEndian.Uint16(raw))
		if len(raw) < 2+n {
			return entries, raw, false
		}
		entries, raw = append(entries, raw[2:2+n]), raw[2+n:]
	}
	return entries, raw, true
}

func bundleSize(entries [][]byte) int {
	n := 0
	for _, e := range entries {
		n += 2 + len(e)
	}
	return n
}
