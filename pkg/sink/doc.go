// Package sink is the contract of sinks. A sink keeps the entries of a log somewhere: in files, a
// database, a message broker, or a place of your own.
//
//	SEALED, PAYLOADS ─verified─▶ runner ─[]Record─▶ Sink: file, postgres, stdout, nats, http, yours
//
// The runner reads the log, verifies it and retries. A Sink only keeps the records that it is
// given. Package run is the program for sinks of your own, and package sinktest is the suite that
// every sink must pass.
//
// A sink stores its cursor together with the data, so that a crash loses no entry and writes none
// twice. A sink that cannot store a cursor, such as a pipe or a webhook, returns ErrNoCursor. The
// runner then stores the cursor in CURSORS, at most once a second, so that a crash sends some
// entries again, each with the same index.
//
// A sink never delays sealing. A sink that is down falls behind, and catches up later.
//
// No compatibility is promised for this package yet.
package sink
