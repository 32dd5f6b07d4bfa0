package sealer

import "errors"

// Errors that stop a sealer. They are returned wrapped with the details. A retry cures none of
// them.
var (
	// ErrNotCreated reports that EVENTS holds messages of a log that was never created. Create the
	// log before agents publish.
	ErrNotCreated = errors.New("log is not created")
	// ErrRefused reports that the key, secret, rules or limits of the sealer are not those of the
	// log. Start the sealer with the log's own.
	ErrRefused = errors.New("sealer does not fit the log")
	// ErrInputLost reports that EVENTS is another stream than the one that was sealed from, or has
	// lost part of it. An administrator must investigate, and open a new input epoch (OpenEpoch) to
	// go on.
	ErrInputLost = errors.New("EVENTS does not continue what was sealed")
	// ErrRolledBack reports that SEALED ends before a checkpoint that this host has seen. Restore
	// SEALED from a copy. Sealing on would sign a second root for a size that has one.
	ErrRolledBack = errors.New("SEALED ends before the newest checkpoint seen here")
	// ErrFenced reports that Config.Guard failed: this process may no longer be the only writer of
	// the log.
	ErrFenced = errors.New("the sealer stopped before a commit")
	// ErrLogBad reports that SEALED or PAYLOADS fail to verify.
	ErrLogBad = errors.New("log does not verify")
)

// errLost reports that another sealer committed first, or that it is unknown whether our commit
// succeeded. The sealer opens the log again.
var errLost = errors.New("lost the tail of SEALED")
