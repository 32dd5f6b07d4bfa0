//go:build linux && !nightly

package query_test

import "time"

// How many clients TestHungryReaders has, for how long, how many messages of 40 entries its log
// has, and the budget for reads.
const (
	hungryBudget   = 64 << 20
	hungryClients  = 200
	hungryFor      = 4 * time.Second
	hungryMessages = 40
)
