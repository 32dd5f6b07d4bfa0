package integrity

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Schema is the form of a manifest; manifest.schema.json describes it.
const Schema = "sealstream-integrity/v1"

// statementKind is what a manifest's signature is over.
const statementKind = "integrity-manifest"

// Manifest says what a program is made of. All hashes are SHA-256 in hex.
type Manifest struct {
	Schema      string            `json:"schema"`
	GeneratedAt string            `json:"generated_at"` // RFC 3339, UTC: the clock of whoever made it
	Binary      Binary            `json:"binary"`
	Modules     []Module          `json:"modules"`
	Functions   map[string]string `json:"functions"` // machine code of the critical functions, by name
	Files       map[string]string `json:"files"`     // source files, by path; empty: none were looked at
	Signature   string            `json:"signature"` // a signed note over the rest
}

// Binary is the executable.
type Binary struct {
	SHA256   string `json:"sha256"`
	Size     int64  `json:"size"` // bytes
	Go       string `json:"go"`   // version that built it
	Main     string `json:"main"` // package
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source, if the build knew
}

// Module is one that was built in.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum"` // go.sum's; "": of a folder
}

// ErrManifest is wrapped by every error of a manifest that cannot be taken: missing, malformed, or not signed by a key that was given.
var ErrManifest = errors.New("manifest does not hold")

// Look reads what there is: the executable, and, with a root, the source files below it but those in except. The result is not signed.
func Look(executable, root string, except ...string) (Manifest, error) {
	m := Manifest{Schema: Schema, Files: map[string]string{}, Modules: []Module{}}
	f, err := os.Open(executable)
	if err != nil {
		return m, fmt.Errorf("executable: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return m, fmt.Errorf("executable: %w", err)
	}
	m.Binary.Size = info.Size()
	if m.Binary.SHA256, err = hashFile(executable); err != nil {
		return m, fmt.Errorf("executable: %w", err)
	}
	built, err := buildinfo.Read(f)
	if err != nil {
		return m, fmt.Errorf("executable: %w", err)
	}
	m.takeBuild(built)
	if m.Functions, err = Code(f); err != nil {
		return m, fmt.Errorf("executable %s: %w", executable, err)
	}
	if root != "" {
		m.Files, err = Sources(root, except...)
	}
	return m, err
}

func (m *Manifest) takeBuild(built *debug.BuildInfo) {
	m.Binary.Go, m.Binary.Main, m.Binary.Version = built.GoVersion, built.Path, built.Main.Version
	for _, s := range built.Settings {
		if s.Key == "vcs.revision" {
			m.Binary.Revision = s.Value
		}
	}
	for _, d := range built.Deps {
		if d.Replace != nil {
			m.Modules = append(m.Modules, Module{d.Path + " => " + d.Replace.Path, d.Replace.Version, d.Replace.Sum})
			continue
		}
		m.Modules = append(m.Modules, Module{d.Path, d.Version, d.Sum})
	}
}

// Generate makes a signed manifest. It refuses a program that does not show all Roles, because changes to them would not be found.
//
// The file that the manifest will be written to belongs into except, if it can stand below root.
func Generate(executable, root string, now time.Time, signer *proof.Signer, except ...string) (Manifest, error) {
	m, err := Look(executable, root, except...)
	if err != nil {
		return Manifest{}, err
	}
	if missing := missingRoles(m.Functions); missing != nil {
		return Manifest{}, fmt.Errorf("%w: no function for %v", ErrNoCode, missing)
	}
	m.GeneratedAt = now.UTC().Format(time.RFC3339)
	document, err := m.document()
	if err != nil {
		return Manifest{}, err
	}
	m.Signature, err = signer.SignStatement(statementKind, document)
	return m, err
}

// document is what is signed: the canonical JSON (RFC 8785) without the signature.
func (m Manifest) document() ([]byte, error) {
	m.Signature = ""
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return entry.Canonicalize(raw)
}

// same says whether two JSON texts have the same canonical form.
func same(a, b []byte) bool {
	x, errX := entry.Canonicalize(a)
	y, errY := entry.Canonicalize(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// maxManifest bounds a manifest's file.
const maxManifest = 16 << 20

// Open reads a manifest that one of the keys has signed; by is that key. Whatever else there is to say about it is an error that wraps ErrManifest.
func Open(raw []byte, vkeys ...string) (m Manifest, by string, err error) {
	if len(raw) > maxManifest {
		return Manifest{}, "", fmt.Errorf("%w: %d bytes", ErrManifest, len(raw))
	}
	if err := entry.CheckJSON(raw, 8); err != nil {
		return Manifest{}, "", fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if err := strict(raw, &m); err != nil {
		return Manifest{}, "", fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if read, err := json.Marshal(m); err != nil || !same(read, raw) { // encoding/json takes Files for files
		return Manifest{}, "", fmt.Errorf("%w: members are misspelt or missing", ErrManifest)
	}
	if m.Schema != Schema {
		return Manifest{}, "", fmt.Errorf("%w: schema %.60q, not %s", ErrManifest, m.Schema, Schema)
	}
	document, err := m.document()
	if err != nil {
		return Manifest{}, "", fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if by, err = proof.OpenStatement(m.Signature, statementKind, document, vkeys...); err != nil {
		return Manifest{}, "", fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return m, by, nil
}
