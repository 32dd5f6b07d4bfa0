package node

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/streams"
)

// ConfigFlags are the two flags of every program that has a configuration. A setting comes from its flag, else from the environment
// (SEALSTREAM_ and the flag's name), else from the YAML file, else it is the default.
type ConfigFlags struct {
	Config      string `help:"YAML file with settings, named as the flags; a section of a program's name is for it alone." placeholder:"FILE"`
	PrintConfig bool   `help:"Print the settings that are in force, as a YAML file, and end. Secrets are left out."`
}

// StreamFlags are what an installation decides of a log's streams.
type StreamFlags struct {
	EventsMaxBytes   Bytes    `help:"Size at which EVENTS refuses more; 0: 2GiB." default:"0" placeholder:"SIZE"`
	SealedMaxBytes   Bytes    `help:"The same of SEALED; 0: 16GiB." default:"0" placeholder:"SIZE"`
	PayloadsMaxBytes Bytes    `help:"The same of PAYLOADS; 0: 32GiB." default:"0" placeholder:"SIZE"`
	AlertsMaxBytes   Bytes    `help:"The same of ALERTS; 0: 1GiB." default:"0" placeholder:"SIZE"`
	PlacementCluster string   `help:"Name of the NATS cluster that the streams are made in; none: any." placeholder:"NAME"`
	PlacementTag     []string `help:"Tag that each server has that the streams are made on." placeholder:"TAG"`
}

func (f StreamFlags) config(log string, replicas int) streams.Config {
	return streams.Config{Log: log, Replicas: replicas, Placement: streams.Place(f.PlacementCluster, f.PlacementTag),
		EventsMaxBytes: int64(f.EventsMaxBytes), SealedMaxBytes: int64(f.SealedMaxBytes), PayloadsMaxBytes: int64(f.PayloadsMaxBytes), AlertsMaxBytes: int64(f.AlertsMaxBytes)}
}

// configVariable names the file where --config does not.
const configVariable = "SEALSTREAM_CONFIG"

// sections are the programs that a configuration file may speak to.
func sections() map[string]any {
	return map[string]any{"ingest": &IngestService{}, "sealer": &SealerService{}, "query": &QueryService{}, "alert": &AlertService{}, "archiver": &ArchiverService{}, "sink": &SinkService{},
		"up": nil, "admin": nil, "migrate": nil}
}

// ConfigFile reads the settings of a program from the file that its command line, or SEALSTREAM_CONFIG, names: those at the top of the file, and
// above them those in the section of its name. It gives nil if none is named.
func ConfigFile(section string, args []string) (kong.Resolver, error) {
	path := os.Getenv(configVariable)
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--config="); ok {
			path = value
		} else if arg == "--config" && i+1 < len(args) {
			path = args[i+1]
		} else if arg == "--" {
			break
		}
	}
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: configuration: %w", ErrWrong, err)
	}
	f, err := parseConfig(section, text)
	if err != nil {
		return nil, fmt.Errorf("%w: configuration %s: %w", ErrWrong, path, err)
	}
	return f, nil
}

// configFile is a kong.Resolver.
type configFile struct{ shared, own map[string]any }

// parseConfig reads a file. Of the sections only the program's own is looked into.
func parseConfig(section string, text []byte) (*configFile, error) {
	var all map[string]any
	if err := yaml.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	f := &configFile{shared: map[string]any{}, own: map[string]any{}}
	known := sections()
	for name, value := range all {
		inner, isMap := value.(map[string]any)
		switch _, isSection := known[name]; {
		case isSection && isMap:
			if name == section {
				f.own = inner
			}
		case isSection && value == nil: // an empty one
		case isMap:
			return nil, fmt.Errorf("section %q: no program has that name", name)
		default:
			f.shared[name] = value
		}
	}
	for _, settings := range []map[string]any{f.shared, f.own} {
		for name, value := range settings {
			if _, ok := value.(map[string]any); ok {
				return nil, fmt.Errorf("%q is a map; a setting is one value, or a list", name)
			}
		}
	}
	return f, nil
}

// Validate implements kong.Resolver: a name that means nothing is a mistake. Above the sections, any service's settings may stand.
func (f *configFile) Validate(app *kong.Application) error {
	own := flagNames(app)
	for name := range f.own {
		if !own[name] {
			return fmt.Errorf("configuration: %q is no setting of %s", name, app.Name)
		}
	}
	for _, s := range sections() {
		if s == nil {
			continue
		}
		k, err := kong.New(s)
		if err != nil {
			return err
		}
		for name := range flagNames(k.Model) {
			own[name] = true
		}
	}
	for name := range f.shared {
		if !own[name] {
			return fmt.Errorf("configuration: no program has a setting %q", name)
		}
	}
	return nil
}

// notSettings are flags that a file cannot set.
var notSettings = []string{"help", "version", "config", "print-config", "json"}

func flagNames(app *kong.Application) map[string]bool {
	names := map[string]bool{}
	kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && !slices.Contains(notSettings, f.Name) {
			names[f.Name] = true
		}
		return next(nil)
	})
	return names
}

// Resolve implements kong.Resolver. The environment goes before the file.
func (f *configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	value, ok := f.own[flag.Name]
	if !ok {
		value = f.shared[flag.Name]
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
		return v, nil
	case bool:
		return v, nil
	}
	if value == "" && flag.Tag.Type == "path" {
		return nil, nil // else the working folder would be meant
	}
	return fmt.Sprint(value), nil
}

// ConfigVariables gives each flag the environment variable of its name.
func ConfigVariables(flags []*kong.Flag) {
	for _, f := range flags {
		if slices.Contains(notSettings, f.Name) {
			continue
		}
		name := "SEALSTREAM_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if !slices.Contains(f.Envs, name) {
			f.Envs = append([]string{name}, f.Envs...)
			f.Tag.Envs = f.Envs
		}
	}
}

// PrintConfig writes the values of flags as a configuration file. Of a secret it says only whether it is set.
func PrintConfig(w io.Writer, flags []*kong.Flag) error {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range flags {
		if slices.Contains(notSettings, f.Name) {
			continue
		}
		value := f.Target.Interface()
		if f.Tag.Has("secret") || holdsPassword(value) {
			state := "is not set"
			if !f.Target.IsZero() {
				state = "is set, and not shown"
			}
			doc.FootComment += f.Name + " " + state + "\n"
			continue
		}
		if v := f.Target; v.Kind() == reflect.Slice && v.IsNil() {
			value = []string{}
		}
		n := &yaml.Node{}
		if err := n.Encode(value); err != nil {
			return fmt.Errorf("setting %s: %w", f.Name, err)
		}
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f.Name}, n)
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// holdsPassword says whether a value is a URL, or several, with a password in it.
func holdsPassword(value any) bool {
	list, _ := value.([]string)
	if s, ok := value.(string); ok {
		list = strings.Split(s, ",")
	}
	return slices.ContainsFunc(list, func(s string) bool {
		u, err := url.Parse(strings.TrimSpace(s))
		return err == nil && u.User != nil && (u.Scheme == "nats" || u.Scheme == "tls" || u.Scheme == "http" || u.Scheme == "https" || strings.HasPrefix(u.Scheme, "postgres"))
	})
}

// Bytes is a size: a number, and with it KiB, MiB, GiB or TiB.
type Bytes int64

var errBytes = errors.New("no size: a whole number, with KiB, MiB, GiB or TiB behind it if need be")

var byteUnits = []struct {
	name  string
	shift uint
}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}

// UnmarshalText reads a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, shift := strings.TrimSpace(string(text)), uint(0)
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, shift = strings.TrimSpace(n), u.shift
			break
		}
	}
	var n int64
	if number == "" || strings.Trim(number, "0123456789") != "" || len(number) > 18 {
		return fmt.Errorf("%.40q: %w", text, errBytes)
	}
	for _, c := range number {
		n = 10*n + int64(c-'0')
	}
	if n<<shift>>shift != n {
		return fmt.Errorf("%.40q: %w", text, errBytes)
	}
	*b = Bytes(n << shift)
	return nil
}

// MarshalText writes a size in the largest unit that leaves it whole.
func (b Bytes) MarshalText() ([]byte, error) {
	for _, u := range byteUnits {
		if b != 0 && b%(1<<u.shift) == 0 {
			return fmt.Appendf(nil, "%d%s", b>>u.shift, u.name), nil
		}
	}
	return fmt.Appendf(nil, "%d", b), nil
}
