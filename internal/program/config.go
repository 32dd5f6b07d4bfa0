package program

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/sealstream/sealstream/internal/settings"
)

// ConfigFlags are the two flags of every program that has a configuration. A setting comes from its
// flag, else from the environment (SEALSTREAM_ and the flag's name), else from the YAML file, else
// it is the default.
type ConfigFlags struct {
	Config      string `help:"YAML file of settings, with the names of flags. A section with a program's name applies to that program only." placeholder:"FILE"`
	PrintConfig bool   `help:"Print the effective settings as YAML, without secrets, and exit."`
}

// configVariable names the file where --config does not.
const configVariable = "SEALSTREAM_CONFIG"

// sections are the programs that a configuration file may speak to.
func sections() map[string]any {
	return map[string]any{
		"ingest":   &ingestFlags{},
		"sealer":   &sealerFlags{},
		"query":    &queryFlags{},
		"alert":    &alertFlags{},
		"archiver": &archiverFlags{},
		"sink":     &sinkFlags{},
		"up":       nil,
		"admin":    nil,
		"migrate":  nil,
	}
}

// ConfigFile reads the settings of a program from the file that its command line, or
// SEALSTREAM_CONFIG, names: those at the top of the file, and above them those in the section of
// its name. It gives nil if none is named.
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
		return nil, fmt.Errorf("%w: configuration: %w", settings.ErrInvalid, err)
	}
	f, err := parseConfig(section, text)
	if err != nil {
		return nil, fmt.Errorf("%w: configuration %s: %w", settings.ErrInvalid, path, err)
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

// Validate implements kong.Resolver: a name that means nothing is a mistake. Above the sections,
// any service's settings may stand.
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

// PrintConfig writes the values of flags as a configuration file. Of a secret it says only whether
// it is set.
func PrintConfig(w io.Writer, flags []*kong.Flag) error {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range flags {
		if slices.Contains(notSettings, f.Name) {
			continue
		}
		value := f.Target.Interface()
		if f.Tag.Has("secret") || holdsSecret(value) {
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
