package main

import (
	"fmt"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/proof"
)

const claimOlder = "older copy, consistent with what was seen"

// olderCopy adds the verdicts on a copy that is shorter than what this machine has seen of its log:
// how many of its entries were compared. It returns false if the copy is not shorter. A copy that
// contradicts what was seen does not come this far: contradicts finds it first.
func (v *verification) olderCopy(r audit.Report) bool {
	newest := v.newestSeen(r.Key)
	if !v.copy || newest <= r.Size {
		return false
	}
	v.kind = kindOlder
	o := v.seen.outline(r.Key)
	if o == nil {
		v.notChecked("the log that was seen here continues this older copy",
			fmt.Sprintf("it ends at size %d; of size %d only a checkpoint was seen here before, which it does not contradict; "+
				"verify a newer copy, which will be compared with this one", r.Size, newest))
		return true
	}
	compared, _, _ := o.compare(v.outline)
	if compared > 0 {
		v.add(claimOlder, nil, fmt.Sprintf("it ends at size %d, and size %d was seen here before; "+
			"its first %d entries are those of the log that was verified here at size %d", r.Size, newest, compared, o.size))
	}
	if compared < r.Size {
		v.notChecked(
			fmt.Sprintf("its last %d entries are those that were seen here", r.Size-compared),
			fmt.Sprintf("only whole blocks of %d entries can be compared in a log of this length; "+
				"verify a newer copy, which will be compared with this one", uint64(1)<<max(o.level, v.outline.level)),
		)
	}
	return true
}

// contradicts compares a copy with the outline of a longer log that was verified here under the
// same key. It returns a *audit.MismatchError if they differ.
func (v *verification) contradicts(r audit.Report) error {
	o := v.seen.outline(r.Key)
	if o == nil || !v.copy || o.size <= r.Size {
		return nil
	}
	if _, at, same := o.compare(v.outline); !same {
		own := proof.Checkpoint{Size: r.Size, Root: r.Root, Note: r.Checkpoint}
		return &audit.MismatchError{
			Index: at,
			What:  "root",
			Known: &own,
			Why: fmt.Sprintf("from this index on it differs from the log of the same key that was verified here at size %d: "+
				"the log was rewritten, or has two histories; keep both copies, their signed checkpoints prove it", o.size),
		}
	}
	return nil
}

// newestSeen returns the largest size that was seen of the log with a key, or 0.
func (v *verification) newestSeen(key string) (size uint64) {
	list, err := v.seen.known(key)
	if err != nil {
		return 0 // recall has returned this error already
	}
	for _, k := range list {
		size = max(size, k.Size)
	}
	return size
}
