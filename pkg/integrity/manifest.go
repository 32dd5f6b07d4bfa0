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

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Schema names the form of a manifest, which manifest.schema.json describes.
const Schema = "sealstream-integrity/v1"

// statementKind is the kind of statement that signs a manifest.
const statementKind = "integrity-manifest"

// Manifest lists what a program is made of. All hashes are SHA-256 in hex.
type Manifest struct {
	Schema      string            `json:"schema"`       // Schema
	GeneratedAt string            `json:"generated_at"` // when it was made, by its maker's clock (RFC 3339, UTC)
	Binary      Binary            `json:"binary"`       // the executable
	Modules     []Module          `json:"modules"`      // modules in the executable
	Functions   map[string]string `json:"functions"`    // hash of each critical function's machine code, by name
	Files       map[string]string `json:"files"`        // hash of each source file, by path; empty if none were read
	Signature   string            `json:"signature"`    // signed note over the rest
}

// Binary describes the executable.
type Binary struct {
	SHA256   string `json:"sha256"`             // hash of the file
	Size     int64  `json:"size"`               // bytes
	Go       string `json:"go"`                 // version of Go that built it
	Main     string `json:"main"`               // path of the main package
	Version  string `json:"version"`            // version of the main module
	Revision string `json:"revision,omitempty"` // revision of the source, if the build recorded it
}

// Module is a module that the executable was built from.
type Module struct {
	Path    string `json:"path"`    // path of the module
	Version string `json:"version"` // version of the module
	Sum     string `json:"sum"`     // checksum as in go.sum; empty for a module in a local folder
}

// ErrManifest is wrapped by every error of a manifest that cannot be accepted: missing, malformed,
// or not signed by a given key.
var ErrManifest = errors.New("manifest does not hold")

// Look makes an unsigned manifest of the executable and, if root is not empty, the source files
// below root except those in except.
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

// Generate makes a signed manifest. It refuses a program in which it does not find the functions of
// all Roles, because verification could not detect changes to them.
//
// except must name the file that the manifest will be written to, if that file is below root.
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
	return canonical.Canonicalize(raw)
}

// same reports whether two JSON texts have the same canonical form.
func same(a, b []byte) bool {
	x, errX := canonical.Canonicalize(a)
	y, errY := canonical.Canonicalize(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// maxManifest is the most bytes that a manifest's file may have.
const maxManifest = 16 << 20

// Open reads a manifest that one of the keys has signed, and returns that key as by. Every error
// wraps ErrManifest.
func Open(raw []byte, vkeys ...string) (m Manifest, by string, err error) {
	if len(raw) > maxManifest {
		return Manifest{}, "", fmt.Errorf("%w: %d bytes", ErrManifest, len(raw))
	}
	if err := canonical.CheckJSON(raw, 8); err != nil {
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
