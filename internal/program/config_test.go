package program

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// configured parses a sealer's settings as Main does.
func configured(t *testing.T, file string, args ...string) (*sealerFlags, string, error) {
	t.Helper()
	s := &sealerFlags{}
	parser, err := kong.New(s, kong.Name("sealer"), kong.Exit(func(int) { t.Fatal("exit") }))
	if err != nil {
		t.Fatal(err)
	}
	ConfigVariables(parser.Model.Flags)
	f, err := parseConfig("sealer", []byte(file))
	if err != nil {
		return nil, "", err
	}
	if err := kong.Resolvers(f).Apply(parser); err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	if err := PrintConfig(&out, parser.Model.Flags); err != nil {
		t.Fatal(err)
	}
	return s, out.String(), nil
}

// TestConfig: a flag goes before the environment, that before the file, and in it the section
// before the top; what is printed gives the same again.
func TestConfig(t *testing.T) {
	const file = `
log: other
replicas: 3
user: file
sealed-max-bytes: 3MiB
events-max-bytes: 77
placement-tag: [a, "b,c"]
index: /elsewhere
state: ""
sealer:
  replicas: 4
  metrics: ""
  streams-exist: true
query:
  replicas: 5
`
	t.Setenv("SEALSTREAM_EVENTS_MAX_BYTES", "5GiB")
	t.Setenv("NATS_USER", "environment")
	t.Setenv("SEALSTREAM_PASSWORD", "hush")
	t.Setenv("SEALSTREAM_REPLICAS", "2")
	s, printed, err := configured(t, file, "--replicas=1", "--nats=nats://u:hush@h:1")
	if err != nil {
		t.Fatal(err)
	}
	if s.Log != "other" || s.Replicas != 1 || s.User != "environment" || s.SealedMaxBytes != 3<<20 ||
		s.EventsMaxBytes != 5<<30 || s.Metrics != "" || !s.StreamsExist || len(s.PlacementTag) != 2 ||
		s.PlacementTag[1] != "b,c" || s.State != "" || s.Password != "hush" {
		t.Errorf("%+v", s)
	}
	if strings.Contains(printed, "hush") || !strings.Contains(printed, "# password is set") {
		t.Errorf("printed:\n%s", printed)
	}
	t.Setenv("SEALSTREAM_REPLICAS", "1") // as the flag said
	_, again, err := configured(t, printed, "--nats=nats://u:hush@h:1")
	if err != nil || again != printed {
		t.Errorf("%v; printed again:\n%s\nbefore:\n%s", err, again, printed)
	}
}

// TestConfigWrong: what a file cannot mean is said.
func TestConfigWrong(t *testing.T) {
	for file, says := range map[string]string{
		"replica: 1":                    `no program has a setting "replica"`,
		"sealer: {index: x}":            `"index" is no setting of sealer`,
		"sealr: {log: x}":               `no program has that name`,
		"replicas: many":                "replicas",
		"events-max-bytes: 1GB":         "",
		"events-max-bytes: 1XB":         "no size",
		"events-max-bytes: 9999TiB":     "",
		"log: {a: b}":                   "no program",
		"a: b: c":                       "yaml",
		"print-config: true":            "no program has a setting",
		"sealed-max-bytes: 99999999TiB": "no size",
	} {
		if _, _, err := configured(t, file); (err == nil) != (says == "") ||
			err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", file, err, says)
		}
	}
}
