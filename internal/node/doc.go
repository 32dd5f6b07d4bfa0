// Package node wires the parts of sealstream into processes: the whole pipeline in one process
// (Up), the same inside a Go program (Embedded, which package embed offers), and each role as a
// service of its own against a NATS server (IngestService, SealerService and so on).
//
// A role is a part: its name, what runs, its routes, its readiness, its followers and its metrics.
// The files part_*.go have one each. A process is a list of parts, and all three kinds of processes
// are assembled from the same ones.
//
// The package does not know how a log works. It knows which part must start before which, and stop
// after which. Metrics, formats of files and drivers of databases come in as Plugins.
package node
