package query

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/pkg/entry"
)

// unreadables holds the entries whose data could not be read at the last attempt and was not
// erased. Their leaves verify, so they are shown without their data, and everything else is shown
// completely.
type unreadables struct {
	list map[uint64]*CorruptError // at most maxUnreadable entries
	more bool                     // there are more
}

// maxUnreadable limits the entries that are kept.
const maxUnreadable = 1000

// first returns the error of the lowest index, or nil.
func (u *unreadables) first() error {
	if len(u.list) == 0 {
		return nil
	}
	return u.list[slices.Min(slices.Collect(maps.Keys(u.list)))]
}

// condition describes them for the health board.
func (u *unreadables) condition() (health.State, string) {
	n := len(u.list)
	switch {
	case n == 0:
		return health.OK, ""
	case u.more:
		return health.Warning, fmt.Sprintf(
			"the data of more than %d entries cannot be read, first: %v; run sealstream verify", n, u.first())
	}
	return health.Warning, fmt.Sprintf("the data of %d entries cannot be read, first: %v; run sealstream verify", n,
		u.first())
}

// unreadable records that the data of an entry could not be read, and logs it the first time.
func (q *Query) unreadable(c *CorruptError) {
	index := c.Mismatch.Index
	if q.changeUnreadable(func(u *unreadables) bool {
		if _, known := u.list[index]; known {
			return false
		}
		if len(u.list) >= maxUnreadable {
			first := !u.more
			u.more = true
			return first
		}
		if u.list == nil {
			u.list = map[uint64]*CorruptError{}
		}
		u.list[index] = c
		return true
	}) {
		q.logger.Error("query cannot read the data of an entry; it shows the entry without it", "log", q.cfg.Log.Name,
			"index", index, "cause", c)
	}
}

// readable removes an entry whose data can be read, or was erased.
func (q *Query) readable(index uint64) {
	q.mu.RLock()
	_, known := q.state.unreadable.list[index]
	q.mu.RUnlock()
	if known {
		q.changeUnreadable(func(u *unreadables) bool {
			delete(u.list, index)
			u.more = u.more && len(u.list) > 0
			return true
		})
	}
}

// allReadable removes all entries after an audit that has read everything.
func (q *Query) allReadable() {
	q.changeUnreadable(func(u *unreadables) bool {
		was := len(u.list) > 0
		*u = unreadables{}
		return was
	})
}

// dropErased removes the entries that erasure entries name, and reports whether there were any.
func (u *unreadables) dropErased(entries []entry.Entry) (any bool) {
	for i := range entries {
		d, ok := entries[i].Detail.(*entry.Erasure)
		if !ok {
			continue
		}
		for _, x := range d.Indexes {
			if _, known := u.list[x]; known {
				any = true
				delete(u.list, x)
			}
		}
	}
	u.more = u.more && len(u.list) > 0
	return any
}

// changeUnreadable applies change and updates the health board if it returned true. It returns what
// change returned.
func (q *Query) changeUnreadable(change func(*unreadables) bool) bool {
	q.boardMu.Lock() // keeps updates of the board in order
	defer q.boardMu.Unlock()
	q.mu.Lock()
	changed := change(&q.state.unreadable)
	state, text := q.state.unreadable.condition()
	q.mu.Unlock()
	if changed {
		q.cfg.Health.Set("unreadable", state, text)
	}
	return changed
}
