package audit

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Export audits an export from its lines, in order, the manifest first. The export of a whole log
// is checked like a log (SPEC 10). In a filtered one every entry is proven to be in the tree of the
// checkpoint. That says nothing about entries that are left out, and known checkpoints are ignored.
// A filtered export requires keys. Errors are those of Log.
func Export(cfg Config, lines iter.Seq2[[]byte, error]) (Report, error) {
	return ParsedExport(cfg, func(yield func([]Line, error) bool) {
		for block, err := range Blocks(lines) {
			if !yield(ParseLines(block), err) {
				return
			}
		}
	})
}

// ParsedExport is Export for lines that were gathered by Blocks and read by ParseLines. ParseLines
// is most of the work, so that a caller may run it in parallel.
func ParsedExport(cfg Config, blocks iter.Seq2[[]Line, error]) (Report, error) {
	x := &exportAudit{auditor: newAuditor(cfg), walk: newWalk(), keys: cfg.Keys}
	x.out.DataChecked = true
	for block, err := range blocks {
		for i := 0; i < len(block) && err == nil; i++ {
			err = x.take(&block[i])
		}
		if err != nil {
			return x.report(), x.broken(err, x.origin(), cfg.Keys)
		}
		lineBlocks.Put(&block)
	}
	err := x.end()
	return x.report(), x.broken(err, x.origin(), cfg.Keys)
}

// exportAudit is one run of Export.
type exportAudit struct {
	*auditor
	walk     *walk
	keys     []string
	signing  []string // those of them that the newest config names
	manifest *proof.Manifest
	cp       proof.Checkpoint // the manifest's; that of a whole export is opened again at its end
	root     entry.Hash       // that the manifest names
	count    uint64           // lines taken
	first    uint64           // index of the first of them
	last     uint64           // and of the last
	blank    bool             // an empty line was there, behind which no entry may stand
}

// take takes the next line.
func (x *exportAudit) take(l *Line) error {
	switch empty := len(bytes.Trim(l.text, " \t\r")) == 0; {
	case x.manifest == nil:
		return x.begin(l.text)
	case empty:
		x.blank = true
		return nil
	case x.blank:
		return mismatch(x.next(), CheckLeaf, "an empty line stands before it")
	}
	return x.line(l)
}

func (x *exportAudit) begin(line []byte) error {
	m, err := proof.ParseManifest(line)
	if err != nil {
		return err
	}
	x.manifest = &m
	if x.root, err = entry.ParseHash(m.Root); err != nil {
		return fmt.Errorf("%w: manifest: root: %w", proof.ErrExport, err)
	}
	if !m.Whole() {
		x.known = known{} // only the whole tree can be compared with other checkpoints
		if len(x.keys) == 0 {
			return fmt.Errorf("%w: a filtered export is checked against the log's key, and none was given",
				proof.ErrExport)
		}
	}
	if x.cp, err = readHead([]byte(m.Checkpoint), x.keys); err != nil {
		return mismatch(0, CheckSignature, "the manifest's checkpoint: %v", err)
	}
	if parts := strings.Split(x.cp.Origin, "/"); x.cp.Origin != m.Origin || len(parts) < 2 ||
		parts[len(parts)-2] != m.Log {
		return mismatch(
			0,
			CheckOrigin,
			"the manifest names the log %q of %.80q, its checkpoint %.80q",
			m.Log,
			m.Origin,
			x.cp.Origin,
		)
	}
	if !m.Whole() {
		return x.fits()
	}
	return nil
}

// readHead opens the checkpoint of an export or of tiles. Without keys it checks only the form: the
// log's own configs will name the keys.
func readHead(signed []byte, keys []string) (proof.Checkpoint, error) {
	if len(keys) > 0 {
		return proof.OpenCheckpoint(signed, keys...)
	}
	if _, err := proof.OpenCheckpoint(signed); !errors.Is(err, proof.ErrNotSigned) {
		return proof.Checkpoint{}, err
	}
	return proof.ParseCheckpointUnverified(signed)
}

// origin returns the manifest's origin.
func (x *exportAudit) origin() string {
	if x.manifest == nil {
		return ""
	}
	return x.manifest.Origin
}

// next returns the index of the next line's entry in the export of a whole log, and that of the
// last line's in others.
func (x *exportAudit) next() uint64 {
	if x.manifest.Whole() {
		return x.walk.frontier.Size()
	}
	return x.last
}

// openCheckpoint opens the manifest's checkpoint. If that fails, no entry is vouched for, not even
// index 0.
func (x *exportAudit) openCheckpoint(keys []string) (err error) {
	x.cp, err = proof.OpenCheckpoint([]byte(x.manifest.Checkpoint), keys...)
	switch {
	case errors.Is(err, proof.ErrNotSigned) && len(x.cfg.Keys) == 0:
		return mismatch(0, CheckSignature, "the manifest's checkpoint: %v", errSelf)
	case err != nil:
		return mismatch(0, CheckSignature, "the manifest's checkpoint: %v", err)
	}
	return x.fits()
}

// fits checks that size and root of the manifest are those of its checkpoint.
func (x *exportAudit) fits() error {
	if x.cp.Size != x.manifest.Size || x.cp.Root != x.root {
		return mismatch(0, CheckSignature, "the manifest's size and root are not those of its checkpoint")
	}
	return nil
}

func (x *exportAudit) line(l *Line) error {
	next, e := x.next(), &l.entry
	if x.count >= x.cp.Size {
		return mismatch(next, CheckLeaf, "there are more entries than the tree has")
	}
	if l.err != nil {
		if e.Leaf != nil { // the leaf could be read, what stands beside it not
			next = e.Index
		}
		return mismatch(next, CheckLeaf, "%v", l.err)
	}
	if e.Log != x.manifest.Log {
		return mismatch(e.Index, CheckLog, "a leaf of log %q in an export of log %q", e.Log, x.manifest.Log)
	}
	var err error
	if x.manifest.Whole() {
		err = x.whole(e, l.path)
	} else {
		err = x.filtered(e, l.path)
	}
	if err != nil {
		return err
	}
	if x.count == 0 {
		x.first = e.Index
	}
	x.count++
	if err := x.entry(e); err != nil {
		return err
	}
	if x.cfg.Progress != nil && x.count%256 == 0 {
		x.cfg.Progress(x.count)
	}
	return x.found(l.data)
}

func (x *exportAudit) whole(e *entry.Entry, path proof.Path) error {
	if path != nil {
		return mismatch(e.Index, CheckLeaf, "a merkle_proof in a whole export")
	}
	x.last = e.Index
	return x.walk.entry(e)
}

func (x *exportAudit) filtered(e *entry.Entry, path proof.Path) error {
	if x.count > 0 && e.Index <= x.last {
		return mismatch(e.Index, CheckIndex, "after index %d", x.last)
	}
	x.last = e.Index
	if path == nil {
		return mismatch(e.Index, CheckProof, "no merkle_proof, which a filtered export has for every entry")
	}
	if err := proof.CheckInclusion(entry.LeafHash(e.Leaf), e.Index, x.cp.Size, path, x.cp.Root); err != nil {
		return mismatch(e.Index, CheckProof, "%v", err)
	}
	return nil
}

func (x *exportAudit) end() error {
	if x.manifest == nil {
		return fmt.Errorf("%w: it is empty", proof.ErrExport)
	}
	m := x.manifest
	if x.count != m.Count || m.Last != nil && (*m.First != x.first || *m.Last != x.last) {
		what := CheckManifest
		if x.count < m.Count {
			what = CheckCut
		}
		return mismatch(
			x.last,
			what,
			"the manifest says %d entries, here are %d, from %d to %d",
			m.Count,
			x.count,
			x.first,
			x.last,
		)
	}
	if !m.Whole() {
		x.out.Erased = uint64(len(x.missing)) // the erasure entries need not be among the filtered ones
		return nil
	}
	size := x.walk.frontier.Size()
	if size != m.Size {
		return mismatch(size, CheckCut, "the checkpoint is of size %d, here are %d entries", m.Size, size)
	}
	if size == 0 {
		return mismatch(0, CheckCut, "a log has at least its config")
	}
	if x.walk.frontier.Root() != x.root {
		return mismatch(size-1, CheckRoot, "the manifest names another than the leaves make")
	}
	if x.walk.origin != m.Origin {
		return mismatch(0, CheckOrigin, "the manifest names %.80q, the log %.80q", m.Origin, x.walk.origin)
	}
	if err := x.checkKeys(); err != nil {
		return err
	}
	return x.auditor.end(size, m.Origin, slices.Concat(x.keys, x.walk.named))
}

// checkKeys opens the checkpoint of a whole log's export: with those of the caller's keys that the
// newest config names, or, without keys, with that config's. A succession of keys proves nothing
// here to someone who knows only an earlier key: an export does not hold the checkpoints that
// announced it.
func (x *exportAudit) checkKeys() error {
	named := x.walk.config.Detail.(*entry.Config).Keys
	keys := named
	if len(x.keys) > 0 {
		keys = slices.DeleteFunc(slices.Clone(x.keys), func(k string) bool { return !slices.Contains(named, k) })
	}
	if len(keys) == 0 {
		return mismatch(0, CheckSignature, "%v", errNotNamed)
	}
	if x.signing = keys; len(x.keys) == 0 {
		x.keys = x.walk.named
	}
	return x.openCheckpoint(keys)
}

func (x *exportAudit) report() Report {
	r := x.out
	if x.manifest != nil {
		r.Log, r.Origin, r.Size, r.Root = x.manifest.Log, x.manifest.Origin, x.manifest.Size, x.root
		r.Checkpoint = []byte(x.manifest.Checkpoint)
	}
	r.Named = x.walk.named
	if r.Keys = x.keys; len(x.keys) > 0 {
		r.Key = x.keys[0]
	}
	if len(x.signing) > 0 {
		r.Key = x.signing[0]
	}
	return r
}
