package client

import "strings"

// LogOption changes one call of Log or LogBatch.
type LogOption interface{ apply(*call) }

// call is what the options come down to.
type call struct {
	wait           Wait
	trace, session string
}

// Wait is the state that an event must have reached before Log returns. It is a LogOption.
type Wait int

const (
	// WaitStored, the default, waits until the event is on disk: after one fsync, or on a quorum of
	// servers. The event is not sealed yet.
	WaitStored Wait = iota
	// WaitSealed waits until the event is an entry of the log. The receipt has its proof, which the
	// client has verified.
	WaitSealed
	// WaitWitnessed also waits until the checkpoint has the cosignatures that Config.Policy requires,
	// and verifies them. If the witnesses do not cosign in time, the error is ErrNotWitnessed, and the
	// receipt is that of a sealed event.
	WaitWitnessed
)

// sealed says whether the receipt is to be proved.
func (w Wait) sealed() bool { return w >= WaitSealed }

func (w Wait) apply(c *call) { c.wait = w }

type optionFunc func(*call)

func (f optionFunc) apply(c *call) { f(c) }

// Trace sets the trace id of events that have none. id may be a W3C traceparent, which contains the
// trace id. A traceparent whose parent id is zero sets nothing.
func Trace(id string) LogOption {
	if len(id) == 55 && id[2] == '-' && id[35] == '-' && id[52] == '-' {
		if id = id[3:52]; strings.HasSuffix(id, "-0000000000000000") {
			id = ""
		} else {
			id = id[:32]
		}
	}
	return optionFunc(func(c *call) { c.trace = id })
}

// Session sets the session id of events that have none.
func Session(id string) LogOption { return optionFunc(func(c *call) { c.session = id }) }
