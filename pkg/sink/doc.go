// Package sink brings a log to where somebody wants it: into files, a database, a message broker, or a place of one's own.
//
//	SEALED, PAYLOADS ─store.Follower (verified)─▶ Runner ─[]Record─▶ Sink: file, postgres, stdout, nats, http, yours
//
// A sink is a follower of SEALED. The Runner reads, verifies and retries; a Sink only keeps. The cursor is the sink's own answer to what it
// holds: it stands with the data, so that a crash gives neither a gap nor a double. A sink that cannot tell (a pipe, a webhook) says
// ErrNoCursor; its cursor lies in CURSORS, saved behind what was written, and a crash sends some entries again, each under its own index.
// Nothing here can hold up sealing: the Runner reads what is committed, and a sink that is away is behind and no more.
//
// Sinktest is the conformance suite for sinks; the example shows one of one's own.
//
// No compatibility is promised for this package yet.
package sink
