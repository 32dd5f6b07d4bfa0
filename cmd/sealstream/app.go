package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/proof"
)

// app is the environment of a verb.
type app struct {
	ctx     context.Context // ends at SIGINT and SIGTERM
	in      io.Reader
	out     io.Writer
	err     io.Writer
	json    bool   // --json
	server  string // --server
	logName string // --log
	key     string // verifier keys of the context in use, one a line
	wide    bool   // --wide
	utc     bool   // --utc

	token     string          // bearer token; "": none
	tokenFor  string          // URL of the server that the token is for; "": server
	transport *http.Transport // of requests to the server
	overTLS   bool            // an address without a scheme means https
}

// errFailed is wrapped by errors that mean "no": a check failed, an event was refused, an entry
// does not exist. The exit status is 1.
var errFailed = errors.New("check failed")

// failure is an errFailed with another text.
type failure struct{ text string }

func (f failure) Error() string        { return f.text }
func (f failure) Is(target error) bool { return target == errFailed }

func failed(format string, args ...any) error { return failure{fmt.Sprintf(format, args...)} }

// shown is an error that has been printed already.
type shown struct{ error }

func (s shown) Unwrap() error { return s.error }

// print writes v as JSON: indented on a terminal, in one line otherwise.
func (a *app) print(v any) error {
	return a.encode(v, isTerminal(a.out))
}

// encode writes v as JSON. Characters that a terminal would obey are escaped, which means the same
// to a JSON parser.
func (a *app) encode(v any, indent bool) error {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := a.out.Write(tameJSON(buf.Bytes()))
	return err
}

// tameJSON escapes DEL and the C1 controls, which JSON allows in strings and terminals obey, and
// the characters that change the direction of text. Valid JSON has them only in strings.
func tameJSON(b []byte) []byte {
	wild := func(r rune) bool { return r >= 0x7f && r <= 0x9f || unicode.Is(unicode.Bidi_Control, r) }
	i := bytes.IndexFunc(b, wild)
	if i < 0 {
		return b
	}
	out := append(make([]byte, 0, len(b)+64), b[:i]...)
	for _, r := range string(b[i:]) {
		if wild(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

func isTerminal(w io.Writer) bool {
	_, ok := terminalOf(w)
	return ok
}

// terminalOf returns the terminal that w writes to, if it is one.
func terminalOf(w io.Writer) (*os.File, bool) {
	if l, ok := w.(*program.LogWriter); ok {
		w = l.Out()
	}
	if o, ok := w.(*output); ok {
		w = o.Writer
	}
	f, ok := w.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// entryPath returns the API's path of an entry, which is named by its index or its id. A name that
// could be either is an index unless byID is set.
func entryPath(name string, byID bool) (string, error) {
	switch {
	case name == "":
		return "", errors.New("the name of the entry is empty; give an index or an id")
	case !byID && isIndex(name):
		return "/v1/entries/" + name, nil
	}
	return "/v1/entries/id/" + client.PathSegment(name), nil
}

// isIndex reports whether a name is the decimal form of a possible index.
func isIndex(name string) bool {
	n, err := strconv.ParseUint(name, 10, 53)
	return err == nil && strconv.FormatUint(n, 10) == name
}

func entryQuery(agent string) url.Values {
	q := url.Values{}
	if agent != "" {
		q.Set("agent", agent)
	}
	return q
}

// readKeys returns the verifier keys of --key: key is a verifier key, or the path of a file with
// one key a line. A log whose key was rotated has several. The empty key gives none.
func readKeys(key string) ([]string, error) {
	if key == "" {
		return nil, nil
	}
	if proof.CheckKey(key) == nil {
		return []string{key}, nil
	}
	b, err := os.ReadFile(key)
	if err != nil {
		return nil, fmt.Errorf("--key: neither a public key nor its file: %w", err)
	}
	vkeys := strings.Fields(string(b))
	if len(vkeys) == 0 {
		return nil, fmt.Errorf("--key %s: the file is empty", key)
	}
	for _, vkey := range vkeys {
		if err := proof.CheckKey(vkey); err != nil {
			return nil, fmt.Errorf("--key %s: %w", key, err)
		}
	}
	return vkeys, nil
}
