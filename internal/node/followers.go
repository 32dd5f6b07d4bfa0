package node

import (
	"context"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
)

// followerReport is what /readyz says of a follower.
type followerReport struct {
	Entries uint64 `json:"entries"`
	Lag     uint64 `json:"lag"` // entries behind the log
	State   string `json:"state"`
}

// report looks at all followers of a log that has so many entries. bad is why one of them says that
// the log does not verify.
func report(list []health.Follower, size uint64) (all map[string]followerReport, bad error) {
	all = map[string]followerReport{}
	for _, f := range list {
		s := f.Look()
		r := followerReport{s.Size, s.Lag(size), "ready"}
		if s.Err != nil {
			r.State = s.Err.Error()
		}
		if s.Bad && bad == nil {
			bad = s.Err
		}
		all[f.Name] = r
	}
	return all, bad
}

// withNotes adds what a person should know of followers that are well again.
func withNotes(body map[string]any, list []health.Follower) map[string]any {
	notes := map[string]string{}
	for _, f := range list {
		if s := f.Look(); s.Note != "" {
			notes[f.Name] = s.Note
		}
	}
	if len(notes) > 0 {
		body["notes"] = notes
	}
	return body
}

// sealedTimeout bounds one question of sealedSize.
const sealedTimeout = 2 * time.Second

// sealedSize asks SEALED how many entries the log has: a service that only follows would else take
// itself for the log's end. What SEALED says there is not verified, and where it does not say it,
// what was followed stands.
func sealedSize(log *store.Log, followed uint64) uint64 {
	ctx, cancel := context.WithTimeout(context.Background(), sealedTimeout)
	defer cancel()
	info, err := log.Sealed.Info(ctx)
	if err != nil || info.Last == 0 {
		return followed
	}
	m, err := log.Sealed.Get(ctx, info.Last)
	if err != nil {
		return followed
	}
	b, err := sealedlog.ParseBatch(m)
	if err != nil { // void
		return followed
	}
	return max(followed, b.Size)
}
