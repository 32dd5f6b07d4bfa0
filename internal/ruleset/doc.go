// Package ruleset holds the numbers, limits and names that the sealing rules fix: what a leaf, an
// event and a message may be. Section numbers are those of docs/SPEC.md.
package ruleset

// The numbers of the sealing rules. New code that would seal the same messages to other bytes gets
// a new number (SPEC 5.1). New logs begin with Newest. A log with rules above Known is refused.
const (
	First     = 1        // the rules of SPEC 2 to 5
	Redacting = 2        // First, and redaction where a config asks for it (SPEC 13)
	Binding   = 3        // Redacting, and events read as the CloudEvents NATS binding and W3C Trace Context ask (SPEC 3.6)
	Blinding  = 4        // Binding, and leaves that cannot be guessed from their hashes (docs/SPEC-rules4.md)
	Newest    = Binding  // the rules of new logs
	Known     = Blinding // the highest rules that this release seals and verifies
)

// LeafVersion is the format of leaves that this release writes and reads (SPEC 2, member v).
const LeafVersion = 1

// The limits of sealing rules 1 (SPEC 3, 4, 5.8). The log's config entry states them too.
const (
	MaxLeafBytes      = 65535   // one leaf, the most that a C2SP entry bundle can hold
	MaxDataBytes      = 262144  // data of one event, decoded
	MaxDepth          = 32      // arrays and objects inside each other, in data
	MaxAttributeBytes = 4096    // value of one attribute
	MaxAttributeName  = 64      // name of one attribute
	MaxMessageEvents  = 256     // events in one EVENTS message
	MaxMessageBytes   = 921600  // body of one EVENTS message
	MaxPublisherBytes = 256     // the publisher in a record of ingest
	MaxRejectedBytes  = 4096    // what a rejected entry keeps of the refused bytes
	WindowSize        = 1 << 20 // entries among which repeats are found
)
