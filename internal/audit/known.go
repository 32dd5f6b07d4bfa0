package audit

import (
	"cmp"
	"errors"
	"slices"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// known compares the checkpoints that a caller knows of a log with the tree that an audit builds
// (SPEC 10.1). Only signed checkpoints count. The keys of the log are known only after the walk, so
// contradictions are kept until then.
type known struct {
	all      []proof.Checkpoint // by size
	rest     []proof.Checkpoint // of them, those of a size that the tree does not have yet
	against  []proof.Checkpoint // of them, those with another root than the tree had at their size
	frontier merkle.Frontier    // follows leaf by leaf, for checkpoints of sizes between batches
	keyless  bool               // the log's own keys count, as the caller gave none
}

func newKnown(cfg Config) known {
	list := slices.Clone(cfg.Known)
	slices.SortFunc(list, func(x, y proof.Checkpoint) int { return cmp.Compare(x.Size, y.Size) })
	return known{all: list, rest: list, keyless: len(cfg.Keys) == 0}
}

// compare looks at the known checkpoints of the tree's present size.
func (k *known) compare() {
	for len(k.rest) > 0 && k.rest[0].Size <= k.frontier.Size() {
		if k.rest[0].Root != k.frontier.Root() {
			k.against = append(k.against, k.rest[0])
		}
		k.rest = k.rest[1:]
	}
}

// append takes the next leaf.
func (k *known) append(h entry.Hash) {
	if len(k.rest) > 0 {
		k.compare()
		k.frontier.Append(h)
	}
}

// signed returns why a checkpoint does not count. One without a note is trusted.
func (k *known) signed(c proof.Checkpoint, origin string, keys []string) error {
	if c.Note == nil {
		return nil
	}
	opened, err := proof.OpenCheckpoint(c.Note, keys...)
	switch {
	case k.keyless && errors.Is(err, proof.ErrNotSigned):
		return against(c, 0, CheckSignature, "the saved checkpoint of size %d: %v", c.Size, errSelf)
	case err != nil:
		return against(c, 0, CheckSignature, "the saved checkpoint of size %d: %v", c.Size, err)
	case origin != "" && opened.Origin != origin: // an empty log names none, and is cut
		return against(
			c,
			0,
			CheckOrigin,
			"the saved checkpoint of size %d is of %.80q, the log of %.80q",
			c.Size,
			opened.Origin,
			origin,
		)
	}
	return nil
}

// broken returns the verdict on a log that fails by itself at an index. A checkpoint that
// contradicts the log before that index comes first, if one of the keys trusted so far has signed
// it.
func (k *known) broken(err error, index uint64, origin string, keys []string) error {
	k.compare() // one of the size that the tree has reached is compared with the next leaf, which is not there
	for _, c := range k.against {
		if at := lastOf(c); at < index && k.signed(c, origin, keys) == nil {
			return rewritten(c)
		}
	}
	return err
}

// settle returns the verdict on a log that verifies by itself: first every signature, then the
// roots, then the sizes.
func (k *known) settle(size uint64, origin string, keys []string) error {
	k.compare()
	for _, c := range k.all {
		if err := k.signed(c, origin, keys); err != nil {
			return err
		}
	}
	if len(k.against) > 0 {
		return rewritten(k.against[0])
	}
	if len(k.rest) > 0 {
		c := k.rest[len(k.rest)-1]
		return against(c, size, CheckCut, "the log ends at size %d, but a checkpoint of size %d was seen", size, c.Size)
	}
	return nil
}

func lastOf(c proof.Checkpoint) uint64 { return max(c.Size, 1) - 1 }

func rewritten(c proof.Checkpoint) error {
	return against(
		c,
		lastOf(c),
		CheckRoot,
		"a checkpoint of size %d has another root: the log was rewritten at or before this index",
		c.Size,
	)
}

// against returns a mismatch with a checkpoint that was known besides the log.
func against(c proof.Checkpoint, index uint64, what Check, format string, args ...any) error {
	err := mismatch(index, what, format, args...)
	err.Known = &c
	return err
}
