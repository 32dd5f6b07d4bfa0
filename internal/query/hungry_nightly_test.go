//go:build linux && nightly

package query_test

import "time"

// How many clients TestHungryReaders has, for how long, how many messages of 40 entries its log
// has, and the budget for reads.
const (
	hungryBudget   = 256 << 20
	hungryClients  = 1000
	hungryFor      = 5 * time.Minute
	hungryMessages = 1000
)
