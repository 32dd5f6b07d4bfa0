package client

// LogOption changes one call of Log or LogBatch.
type LogOption interface{ apply(*call) }

// call is what the options come down to.
type call struct {
	wait           Wait
	trace, session string
}

// Wait is how far an event must have come before Log returns. It is a LogOption.
type Wait int

const (
	// WaitStored: the event is on disk (one fsync, or a quorum); it is not sealed yet. The default.
	WaitStored Wait = iota
	// WaitSealed: the event is an entry of the log, and the receipt has its proof, which the client has verified.
	WaitSealed
	// WaitWitnessed: besides, its checkpoint has the cosignatures that Config.Policy asks for, which the client has verified. Where witnesses are away for long, the
	// error is ErrNotWitnessed, and the receipt is that of a sealed event.
	WaitWitnessed
)

// sealed says whether the receipt is to be proved.
func (w Wait) sealed() bool { return w >= WaitSealed }

func (w Wait) apply(c *call) { c.wait = w }

type optionFunc func(*call)

func (f optionFunc) apply(c *call) { f(c) }

// Trace sets the trace id of events that have none. A W3C traceparent is taken apart.
func Trace(id string) LogOption {
	if len(id) == 55 && id[2] == '-' && id[35] == '-' && id[52] == '-' {
		id = id[3:35]
	}
	return optionFunc(func(c *call) { c.trace = id })
}

// Session sets the session id of events that have none.
func Session(id string) LogOption { return optionFunc(func(c *call) { c.session = id }) }
