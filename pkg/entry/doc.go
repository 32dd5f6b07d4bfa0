// Package entry is the ground of sealstream: what an event is, what an entry is, and which bytes and hashes they
// come down to. It does no I/O, reads no clock and starts no goroutine; everything else stands on it.
//
//	bytes of an agent ─Parse─▶ Event ─NewDraft─▶ Draft ─Seal─▶ Entry (its Leaf is what the log stores and hashes)
//	bytes of the log ─ParseEntry─▶ Entry
//
// An Event is a claim: parsed, checked, not sealed. It becomes an Entry only through a Draft, which knows which
// EVENTS message the event came in, and Seal, which gives it its place in the chain. The formats are those of
// pkg/SPEC.md; section numbers in this package are that page's.
//
// This is promised API: see the examples.
package entry

// Version is the format of leaves that this package writes and reads (SPEC 2, member v).
const Version = 1

// The limits of sealing rules 1 (SPEC 3, 4, 5.8). They stand in the log's config entry too.
const (
	MaxLeafBytes      = 65535   // one leaf, the most that a C2SP entry bundle can hold
	MaxDataBytes      = 262144  // data of one event, decoded
	MaxDepth          = 32      // arrays and objects inside each other, in data
	MaxAttributeBytes = 4096    // one attribute's value
	MaxAttributeName  = 64      // one attribute's name
	MaxMessageEvents  = 256     // events in one EVENTS message
	MaxMessageBytes   = 921600  // body of one EVENTS message
	MaxPublisherBytes = 256     // the publisher in ingest's record
	MaxRejectedBytes  = 4096    // what a rejected entry keeps of the bytes
	WindowSize        = 1 << 20 // indexes in which repeats are found
)

// maxInteger is the largest integer that JSON carries exactly everywhere: 2^53−1.
const maxInteger = 1<<53 - 1
