package integrity

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sealstream/sealstream/internal/logtest/keytest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// own is a copy of this test's executable, which has the packages entry and proof in it.
func own(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// offset is where the code of a function begins in the file, and how long it is.
func offset(t *testing.T, path, name string) (at, size int64) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := functions(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range list {
		if fn.Name == name {
			p, err := fileOffset(f, fn.Entry, fn.End)
			if err != nil {
				t.Fatal(err)
			}
			return p.file, int64(fn.End - fn.Entry)
		}
	}
	t.Fatalf("%s has no %s", path, name)
	return 0, 0
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, m Manifest, exe, root string) Report {
	t.Helper()
	r, err := Verify(m, "key", exe, root, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, "report", r)
	return r
}

// TestPatchedCode changes one byte of machine code at a time, in the middle and at the ends of
// critical functions: each is found by name.
func TestPatchedCode(t *testing.T) {
	exe := own(t)
	m, err := Generate(exe, "", time.Unix(0, 0), keytest.Signer(t, "build.example.com", "default"))
	if err != nil {
		t.Fatal(err)
	}
	if r := verify(t, m, exe, ""); !r.Passed || r.FunctionsChecked < 50 {
		t.Fatalf("unchanged: %+v", r)
	}
	for _, name := range []string{
		"pkg/entry.LeafHash", "pkg/proof.CheckInclusion", "internal/canonical.Canonicalize", "pkg/integrity.compare",
	} {
		at, size := offset(t, exe, module+name)
		for _, i := range []int64{0, size / 2, size - 1} {
			flip(t, exe, at+i)
			r := verify(t, m, exe, "")
			if r.Passed || !r.BinaryChanged || len(r.Functions) != 1 || r.Functions[0].Name != module+name ||
				r.Functions[0].State != Changed {
				t.Errorf("byte %d of %d of %s: %+v", i, size, name, r.Functions)
			}
			flip(t, exe, at+i)
		}
	}
	if r := verify(t, m, exe, ""); !r.Passed {
		t.Fatalf("put back: %+v", r)
	}
}

// linked keeps what the roles ask for in this test's executable.
var linked = []any{entry.LeafHash, proof.CheckInclusion, entry.Payload.Opens}

// TestRoles builds a stripped program of this module, which has the roles and shows a patch by name all the same.
func TestRoles(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	path := filepath.Join(t.TempDir(), "sealer")
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", path,
		"../../cmd/sealer").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m, err := Generate(path, "", time.Now(), keytest.Signer(t, "build.example.com", "default"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"internal/sealer.(*Sealer).commit", "internal/sealer.(*tail).commit", "pkg/entry.LeafHash",
		"internal/audit.(*Chain).check", "pkg/entry.Payload.Opens",
	} {
		if m.Functions[module+want] == "" {
			t.Errorf("no %s", want)
		}
	}
	at, size := offset(t, path, module+"internal/sealer.(*tail).commit")
	flip(t, path, at+size/2)
	if r := verify(t, m, path, ""); len(r.Functions) != 1 || !strings.HasSuffix(r.Functions[0].Name, "(*tail).commit") {
		t.Errorf("a patched commit: %+v", r.Functions)
	}
}

// TestMissingRoles: a role is missed where its package is linked in, and only there.
func TestMissingRoles(t *testing.T) {
	if len(linked) == 0 {
		t.Fatal("nothing is linked")
	}
	code := map[string]string{module + "pkg/entry.Other": "", module + "pkg/proof.CheckInclusion": ""}
	if got := missingRoles(code); !slices.Equal(got, []string{"leaf hash", "payload check"}) {
		t.Errorf("missing roles %v", got)
	}
}

// TestSources finds a source file that was changed, taken out, or added.
func TestSources(t *testing.T) {
	exe, root := own(t), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module github.com/sealstream/sealstream\n")
	write("pkg/a.go", "package a\n")
	write("pkg/b.go", "package a\n")
	write(".git/config.json", "{}")
	write("notes.txt", "no source")
	if got := Checkout(filepath.Join(root, "pkg")); got != root {
		t.Fatalf("checkout %q", got)
	}
	m, err := Generate(exe, root, time.Now(), keytest.Signer(t, "build.example.com", "default"))
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(m.Files)); !slices.Equal(got, []string{"go.mod", "pkg/a.go", "pkg/b.go"}) {
		t.Fatalf("files %v", got)
	}
	if r := verify(t, m, exe, root); !r.Passed || r.FilesChecked != 3 {
		t.Fatalf("unchanged: %+v", r)
	}
	write("pkg/a.go", "package a // changed\n")
	write("pkg/c.go", "package a\n")
	if err := os.Remove(filepath.Join(root, "pkg/b.go")); err != nil {
		t.Fatal(err)
	}
	r := verify(t, m, exe, root)
	got := map[string]State{}
	for _, c := range r.Files {
		got[c.Name] = c.State
	}
	if want := map[string]State{
		"pkg/a.go": Changed, "pkg/b.go": Missing, "pkg/c.go": Added,
	}; r.Passed || !maps.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if r := verify(t, m, exe, ""); !r.Passed || !r.FilesSkipped {
		t.Fatalf("without a checkout: %+v", r)
	}
	if err := os.Symlink("a.go", filepath.Join(root, "pkg/d.go")); err != nil {
		t.Fatal(err)
	}
	if _, err := Sources(root); err == nil {
		t.Error("a link is taken for a source file")
	}
}

// TestManifest refuses whatever is not what the key's holder signed (case 55 of
// conformance/cases_test.go: changed, removed, corrupt).
func TestManifest(t *testing.T) {
	exe, s := own(t), keytest.Signer(t, "build.example.com", "default")
	m, err := Generate(exe, "", time.Unix(1700000000, 0), s)
	if err != nil {
		t.Fatal(err)
	}
	conforms(t, "manifest", m)
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if _, by, err := Open(raw, s.VerifierKey()); err != nil || by != s.VerifierKey() {
		t.Fatalf("signed by %q: %v", by, err)
	}
	name := module + "pkg/entry.LeafHash"
	for what, text := range map[string]string{
		"empty": "", "no JSON": "{", "another hash": strings.Replace(string(raw), m.Functions[name], strings.Repeat("0", 64), 1),
		"an entry removed": strings.Replace(string(raw), `"`+name+`": "`+m.Functions[name]+`",`, "", 1),
		"another time":     strings.Replace(string(raw), "2023-11-14", "2023-11-15", 1), "another member": strings.Replace(string(raw), "{", `{"x":1,`, 1),
		"a member twice": strings.Replace(string(raw), "{", `{"files":{},`, 1), "another schema": strings.Replace(string(raw), Schema, "x", 1),
		"a member for others": strings.Replace(strings.Replace(string(raw), `"schema"`, `"Schema"`, 1), "{", `{"schema": "none",`, 1),
		"no signature":        strings.Replace(string(raw), "sealstream-statement", "x", 1),
	} {
		if text == string(raw) {
			t.Fatalf("%s: nothing was changed", what)
		}
		if _, _, err := Open([]byte(text), s.VerifierKey()); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, err := Open(raw, keytest.Signer(t, "build.example.com", "default").VerifierKey()); !errors.Is(err,
		ErrManifest) {
		t.Errorf("another key: %v", err)
	}
	delete(m.Functions, name)
	if r := verify(t, m, exe, ""); r.Passed || len(r.Functions) != 1 || r.Functions[0].State != Added {
		t.Errorf("a function that the manifest lacks: %+v", r.Functions)
	}
	m.Functions[module+"pkg/entry.Gone"] = strings.Repeat("0", 64)
	m.Modules = append(m.Modules, Module{"example.com/gone", "v1.0.0", "h1:"})
	if r := verify(t, m, exe, ""); len(r.Functions) != 2 || len(r.ModulesMissing) != 1 {
		t.Errorf("what the program lacks: %+v", r)
	}
}

// TestNoProgram: what is no program of sealstream is refused, and damaged tables are an error and no panic.
func TestNoProgram(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Look(text, ""); err == nil {
		t.Error("a text is taken for a program")
	}
	if _, err := Look(text+"-not", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	exe := own(t)
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	s := f.Section(".gopclntab")
	if s == nil {
		s = f.Section(".data.rel.ro.gopclntab")
	}
	at, size := int64(s.Offset), int64(s.Size)
	f.Close()
	for i := int64(0); i < 64; i++ {
		flip(t, exe, at+i*7+i*(size/100))
	}
	if _, err := Look(exe, ""); err == nil {
		t.Log("the damage was of no concern to the table")
	}
	for i := range int64(8) {
		flip(t, exe, at+i)
	}
	if _, err := Look(exe, ""); !errors.Is(err, ErrNoCode) {
		t.Errorf("a damaged table: %v", err)
	}
}

// conforms validates JSON against a schema in schema/.
func conforms(t *testing.T, schema string, v any) {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("schema/" + schema + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v", schema, err)
	}
}
