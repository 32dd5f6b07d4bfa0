package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sealstream/sealstream/internal/durable"
	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// savedContext is where a verb asks, and with which key it checks the answers. Empty fields are
// filled by what comes next in resolve.
type savedContext struct {
	Server string `json:"server,omitempty"`
	Log    string `json:"log,omitempty"`
	Key    string `json:"key,omitempty"` // verifier keys, one a line

	// Paths of PEM files: the CA that verifies the server, and the client's certificate and key.
	CA         string `json:"ca,omitempty"`
	ClientCert string `json:"client_cert,omitempty"`
	ClientKey  string `json:"client_key,omitempty"`

	TokenFile string `json:"token_file,omitempty"` // path of the file of a bearer token
}

// tlsFiles are the files of the context.
func (s savedContext) tlsFiles() tlsfiles.ClientFiles {
	return tlsfiles.ClientFiles{CA: s.CA, Cert: s.ClientCert, Key: s.ClientKey}
}

// tokenFor returns the server that the token of a context is for. A token of a flag or of the
// environment is for whatever server a verb names, "".
func (s savedContext) tokenFor(given string) string {
	if s.TokenFile == "" || given != "" {
		return ""
	}
	return s.Server
}

// overTLS reports whether files of TLS are named.
func (s savedContext) overTLS() bool { return s.tlsFiles() != tlsfiles.ClientFiles{} }

// absolute returns the context with paths that are valid in any folder.
func (s savedContext) absolute() (savedContext, error) {
	for _, path := range []*string{&s.CA, &s.ClientCert, &s.ClientKey, &s.TokenFile} {
		if *path == "" {
			continue
		}
		whole, err := filepath.Abs(*path)
		if err != nil {
			return s, err
		}
		*path = whole
	}
	return s, nil
}

// contexts is the folder of saved contexts: NAME.json each, and the file "selected" with the name
// of the one that verbs use unless they are told otherwise.
type contexts struct{ dir string }

// contextName is what may be the name of a context, which is also a file's.
var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func openContexts() (contexts, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return contexts{}, fmt.Errorf("no folder for contexts: %w", err)
	}
	return contexts{filepath.Join(dir, "sealstream", "contexts")}, nil
}

func (c contexts) file(name string) (string, error) {
	if !contextName.MatchString(name) {
		return "", fmt.Errorf("context %.40q: a name has letters, digits, dots, dashes and underscores", name)
	}
	return filepath.Join(c.dir, name+".json"), nil
}

func (c contexts) load(name string) (s savedContext, err error) {
	path, err := c.file(name)
	if err != nil {
		return s, err
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, noContext(name)
	}
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		return s, fmt.Errorf("context %s: %w", name, err)
	}
	return s, nil
}

func (c contexts) save(name string, s savedContext) error {
	path, err := c.file(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("context %s: %w", name, err)
	}
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(raw, '\n'), 0o600)
}

// names returns the saved contexts in alphabetical order.
func (c contexts) names() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(c.dir, "*.json"))
	names := []string{}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	return names, err
}

// selected returns the name of the selected context; "" if none is.
func (c contexts) selected() string {
	raw, err := os.ReadFile(filepath.Join(c.dir, "selected"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// has reports whether a context is saved, be it readable or not.
func (c contexts) has(name string) bool {
	path, err := c.file(name)
	if err == nil {
		_, err = os.Stat(path)
	}
	return err == nil
}

// loadSelected returns the selected context, or the zero context if none is selected.
func (c contexts) loadSelected() (s savedContext, err error) {
	name := c.selected()
	if name == "" {
		return s, nil
	}
	const hint = "`sealstream context use NAME` selects another, `sealstream context remove"
	if !c.has(name) {
		return s, fmt.Errorf("%w %s is gone; %s %[2]s` none", errSelected, shellWord(name), hint)
	}
	if s, err = c.load(name); err != nil {
		err = fmt.Errorf("%w cannot be read: %w; %s %s` removes it", errSelected, err, hint, shellWord(name))
	}
	return s, err
}

func (c contexts) choose(name string) error {
	if _, err := c.load(name); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(c.dir, "selected"), []byte(name+"\n"), 0o600)
}

// remove deletes a context, and the selection if it is selected. Its file need not be readable, and
// that of a selected one need not be there.
func (c contexts) remove(name string) error {
	path, err := c.file(name)
	if err != nil {
		return err
	}
	selected := c.selected() == name
	if !selected && !c.has(name) {
		return noContext(name)
	}
	if selected {
		if err := os.Remove(filepath.Join(c.dir, "selected")); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func noContext(name string) error {
	return fmt.Errorf("there is no context %s; `sealstream context list` shows the saved ones", name)
}

// errSelected is wrapped by the error of a selected context that is not there or not readable.
var errSelected = errors.New("the selected context")

// resolve says where a verb asks: what the flags and the environment say, then the context of that
// name, or the selected one, then this machine.
func resolve(given savedContext, name string) (savedContext, error) {
	var s savedContext
	c, err := openContexts()
	if err == nil && name == "" {
		if s, err = c.loadSelected(); err != nil {
			return s, err
		}
	} else if name != "" {
		if err != nil {
			return s, err
		}
		if s, err = c.load(name); err != nil {
			return s, err
		}
	}
	return s.over(given), nil
}

// over returns the context with what flags say above it, and with the defaults below it.
func (s savedContext) over(given savedContext) savedContext {
	if given.Server != "" && given.Server != s.Server {
		s = savedContext{Log: s.Log} // key, certificates and token are for another server
	}
	if given.Log != "" && given.Log != s.Log {
		s.Key = "" // it is another log's
	}
	for _, x := range []struct {
		to            *string
		given, beyond string
	}{
		{&s.Server, given.Server, defaultServer}, {&s.Log, given.Log, defaultLog},
		{&s.CA, given.CA, ""}, {&s.ClientCert, given.ClientCert, ""}, {&s.ClientKey, given.ClientKey, ""},
		{&s.TokenFile, given.TokenFile, ""},
	} {
		*x.to = cmp.Or(x.given, *x.to, x.beyond)
	}
	s.Server = withScheme(s.Server, s.overTLS())
	return s
}

// keys reads --key, or the keys of the context in use where it is not given.
func (a *app) keys(flag string) ([]string, error) {
	if flag == "" {
		return strings.Fields(a.key), nil
	}
	return readKeys(flag)
}

// withScheme completes an address such as 127.0.0.1:8420. Who names files of TLS means https.
func withScheme(server string, overTLS bool) string {
	switch {
	case strings.Contains(server, "://"):
		return server
	case overTLS:
		return "https://" + server
	}
	return "http://" + server
}
