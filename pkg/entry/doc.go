// Package entry defines what an event is, what an entry is, and the bytes and hashes of both. It
// does no I/O, reads no clock and starts no goroutine.
//
// An agent's bytes become an Event:
//
//	bytes of an agent ─ ParseEvent, ParseBinary ─▶ Event
//
// The sealer gives the event its place in the log, and the log stores the canonical bytes of the
// result, the leaf. Everybody else reads an Entry from those bytes:
//
//	bytes of the log ─ ParseEntry ─▶ Entry
//
// The leaf is what is hashed and what counts. An Entry is a view of it, and a Payload is the data
// that the leaf commits to. The formats are those of docs/SPEC.md, and section numbers in this
// package are that page's.
//
// The API is kept stable. The examples show how to use it.
package entry
