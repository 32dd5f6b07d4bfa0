package sealer

import "errors"

// What stops a sealer. All are wrapped with what was found; none of them is cured by trying again.
var (
	// ErrNotCreated: EVENTS holds messages, but the log was never created. Create it before agents publish.
	ErrNotCreated = errors.New("log is not created")
	// ErrRefused: key, secret, rules or limits are not those of the log. Start the sealer with the log's own.
	ErrRefused = errors.New("sealer does not fit the log")
	// ErrInputLost: EVENTS is not the stream, or not the history, that was sealed from. An administrator must look, and
	// open a new input epoch (OpenEpoch) to go on.
	ErrInputLost = errors.New("EVENTS does not continue what was sealed")
	// ErrRolledBack: SEALED ends before a checkpoint that this host has seen. Restore SEALED from a copy; going on would
	// sign a second root for a size that has one.
	ErrRolledBack = errors.New("SEALED ends before the newest checkpoint seen here")
	// ErrLogBad: SEALED or PAYLOADS hold something that does not verify.
	ErrLogBad = errors.New("log does not verify")
)

// errLost: another sealer's batch came first, or it is not known whether ours did. Open the log again.
var errLost = errors.New("lost the tail of SEALED")
