package program

import "github.com/sealstream/sealstream/pkg/sink"

// programs are the services that run apart: what each is for, and how its flags begin.
var programs = map[string]struct {
	description string
	service     func() service
}{
	"alert": {
		"Tells of violations and of what rules match, on NATS and to webhooks.",
		func() service { return &alertFlags{} },
	},
	"archiver": {
		"Keeps the old part of one log in an object store, and trims SEALED behind it.",
		func() service { return &archiverFlags{} },
	},
	"ingest": {
		"Accepts agents' events over HTTP and stores them for the sealer.",
		func() service { return &ingestFlags{} },
	},
	"query":  {"Answers filters over a sealed log and makes proofs.", func() service { return &queryFlags{} }},
	"sink":   {"Writes one log into sinks: files, databases, NATS, HTTP.", func() service { return &sinkFlags{} }},
	"sealer": {"Orders, chains and seals the events of one log.", func() service { return &sealerFlags{} }},
}

// IsProgram says whether a service has this name.
func IsProgram(name string) bool { return programs[name].service != nil }

// Program runs the service of this name with the command line, as run does. The service's own
// command and a sealstream that is called by its name, which saves an image five copies of the same
// code, both do this.
func Program(name string) int {
	p := programs[name]
	return run(name, p.description, p.service())
}

// Sink runs the service sink, as Program does, with more kinds of sinks.
func Sink(schemes sink.Schemes) int {
	return run("sink", programs["sink"].description, &sinkFlags{Schemes: schemes})
}
