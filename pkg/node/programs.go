package node

// programs are the services that run apart: what each is for, and how its flags begin.
var programs = map[string]struct {
	description string
	service     func() Service
}{
	"alert":    {"Tells of violations and of what rules match, on NATS and to webhooks.", func() Service { return &AlertService{} }},
	"archiver": {"Keeps the old part of one log in an object store, and trims SEALED behind it.", func() Service { return &ArchiverService{} }},
	"ingest":   {"Accepts agents' events over HTTP and stores them for the sealer.", func() Service { return &IngestService{} }},
	"query":    {"Answers filters over a sealed log and makes proofs.", func() Service { return &QueryService{} }},
	"sink":     {"Writes one log into sinks: files, databases, NATS, HTTP.", func() Service { return &SinkService{} }},
	"sealer":   {"Orders, chains and seals the events of one log.", func() Service { return &SealerService{} }},
}

// IsProgram says whether a service has this name.
func IsProgram(name string) bool { return programs[name].service != nil }

// Program runs the service of this name with the command line, as Main does. The service's own command and a sealstream that is called by its
// name, which saves an image five copies of the same code, both do this.
func Program(name string) int {
	p := programs[name]
	return Main(name, p.description, p.service())
}
