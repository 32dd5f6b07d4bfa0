// Package agt knows the formats of Microsoft's agent-governance-toolkit (its Python package
// agentmesh, revision b5705588): the JSON that Python writes, over which the toolkit hashes, the
// lines of its signed trail, its CloudEvents export, and its tree. It does no I/O.
//
//	Record ─ContentHash, Sign, AppendLine─▶ a line that the toolkit's own verifier accepts
//
// These hashes exist only to read and write the toolkit's files. Nothing that this log proves
// depends on them. The toolkit's tree has no domain separation, and whoever can verify its HMAC can
// forge it.
//
// No compatibility is promised for this package yet.
package agt
