// Package inbox reads and writes the messages of EVENTS: the events that an agent published, the
// records in which ingest groups them, and what an administrator asks for. Section numbers are
// those of docs/SPEC.md.
package inbox
