// Package sinkrun follows a log and writes it into a sink.
//
// A Runner reads SEALED, verifies each batch, adds the data from PAYLOADS, and retries after
// errors. A sink.Sink only keeps the records. A sink that is down never delays sealing: the Runner
// reads committed batches, falls behind, and catches up later.
package sinkrun
