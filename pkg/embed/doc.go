// Package embed runs a whole log inside a Go program: ingest, sealer, query and alerts, in memory
// or in a data directory with an embedded NATS server.
//
//	log, err := embed.Open(ctx, embed.Options{Dir: "audit"})
//	…
//	defer log.Close()
//	receipt, err := log.Client().Log(ctx, client.Event{…}, client.WaitSealed)
//	for entry, err := range log.Client().Entries(ctx, client.Filter{}) { … }
//
// A log in a directory is the same as one of `sealstream up`. While the program is stopped, the
// command line can open the directory. While the program runs, serve Log.Handler, and give its URL
// to the command line.
//
// To keep the program small, large dependencies are linked only if the program adds them: further
// sinks with Options.Schemes, Prometheus with Options.Metrics, and redaction rules in YAML with
// Options.Redaction.
package embed
