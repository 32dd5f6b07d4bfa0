// Package api holds the wire types of the HTTP API: what requests ask and what answers say.
// Servers, the SDK, the command line and the compliance checks use the same types, so that a member
// has one name and one meaning.
//
// An entry on the wire is entry.Entry, and a proof is proof.EntryProof: this package copies
// neither. GET /openapi.json describes the paths.
package api
