// Package agt knows the formats of Microsoft's agent-governance-toolkit (its Python package agentmesh, revision b5705588): the JSON that
// Python writes, over which the toolkit hashes, the lines of its signed trail, its CloudEvents export, and its tree. It does no I/O.
//
//	Record ─ContentHash, Sign, AppendLine─▶ a line that the toolkit's own verifier accepts
//
// The hashes here are the toolkit's, kept for those who have trails of it: nothing that this log proves stands on them. Its tree has no
// domain separation, and its HMAC key lets every verifier forge.
//
// No compatibility is promised for this package yet.
package agt
