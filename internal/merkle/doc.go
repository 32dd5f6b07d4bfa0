// Package merkle is the arithmetic of the log's tree (RFC 6962) and of its tiles
// (c2sp.org/tlog-tiles): frontiers, roots, whole trees, and the paths and contents of tiles.
//
// It stands below pkg/proof, which checks proofs with it, and does no I/O. The hashing is that of
// golang.org/x/mod/sumdb/tlog.
package merkle
