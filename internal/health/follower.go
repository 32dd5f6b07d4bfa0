package health

// Follower is a part of a process that follows the log, as health pages and metrics show it.
type Follower struct {
	Name string
	Look func() FollowerState // never blocks
}

// FollowerState says how far a follower is, and whether it works.
type FollowerState struct {
	Size   uint64            // entries followed: the next index
	Err    error             // why it does not proceed; nil: it does
	Bad    bool              // Err says that the log does not verify, which does not pass by itself
	Counts map[string]uint64 // what it did since it was started, by name
	Note   string            // an incident that is over and that a person should know of; "": none
}

// Lag returns how many entries the follower is behind a log of that size.
func (s FollowerState) Lag(size uint64) uint64 { return max(size, s.Size) - s.Size }
