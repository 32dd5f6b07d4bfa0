package node

import (
	"errors"

	"github.com/sealstream/sealstream/pkg/alert"
	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query"
)

// follower is a part that follows the log, as health pages and metrics see it.
type follower struct {
	name string
	look func() followerState // never blocks
}

// followerState is how a follower fares.
type followerState struct {
	Size   uint64            // entries followed: the next index
	Err    error             // why it does not go on as it should; nil: it does
	Bad    bool              // Err says that the log does not verify, and nothing that it would pass
	Counts map[string]uint64 // what it did since it was started, by name
}

// indexFollower is the index of query.
func indexFollower(q *query.Query) follower {
	return follower{"index", func() followerState {
		s := q.Status()
		return followerState{Size: s.Size, Err: s.Err, Bad: s.Corrupt, Counts: map[string]uint64{"void": uint64(len(s.Void))}}
	}}
}

// errReading: a follower has not come to the end of the log yet.
var errReading = errors.New("the log is being read")

// alertFollower is the follower that tells of what the log holds.
func alertFollower(a *alert.Alerter) follower {
	return follower{"alerts", func() followerState {
		s := a.Status()
		state := followerState{Size: s.Next, Bad: s.Bad, Counts: map[string]uint64{"published": s.Published}}
		if s.Err != "" {
			state.Err = errors.New(s.Err)
		} else if !s.CaughtUp {
			state.Err = errReading
		}
		for _, w := range s.Webhooks {
			state.Counts["delivered"] += w.Delivered
			state.Counts["given_up"] += w.GivenUp
		}
		return state
	}}
}

// archiveFollower is the archiver, which is behind by as much as no full segment has.
func archiveFollower(x *archive.Archiver) follower {
	return follower{"archive", func() followerState {
		s := x.Status()
		_, bad := errors.AsType[*proof.MismatchError](s.Err)
		_, damaged := errors.AsType[*archive.DamagedError](s.Err)
		return followerState{Size: s.Size, Err: s.Err, Bad: bad && !damaged, Counts: map[string]uint64{"void": uint64(len(s.Void)), "segments": s.Segments}}
	}}
}

// followerReport is what /readyz says of a follower.
type followerReport struct {
	Entries uint64 `json:"entries"`
	Lag     uint64 `json:"lag"` // entries behind the log
	State   string `json:"state"`
}

// report looks at all followers of a log that has so many entries. bad is why one of them says that the log does not verify.
func report(list []follower, size uint64) (all map[string]followerReport, bad error) {
	all = map[string]followerReport{}
	for _, f := range list {
		s := f.look()
		r := followerReport{s.Size, behind(size, s.Size), "ready"}
		if s.Err != nil {
			r.State = s.Err.Error()
		}
		if s.Bad && bad == nil {
			bad = s.Err
		}
		all[f.name] = r
	}
	return all, bad
}

func behind(size, at uint64) uint64 { return max(size, at) - at }
