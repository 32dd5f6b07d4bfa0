package integrity

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Report is the result of a verification. Its lists hold only what is wrong, and are never null.
type Report struct {
	Schema     string `json:"schema"`        // ReportSchema
	Passed     bool   `json:"passed"`        // whether nothing differs
	VerifiedAt string `json:"verified_at"`   // when it was verified (RFC 3339, UTC)
	SignedBy   string `json:"signed_by"`     // verifier key that signed the manifest
	SHA256     string `json:"binary_sha256"` // hash of the executable

	BinaryChanged    bool     `json:"binary_changed"`    // whether the executable is another file
	ModulesChecked   int      `json:"modules_checked"`   // number of modules compared
	ModulesMissing   []string `json:"modules_missing"`   // modules that the manifest names and the program lacks
	Modules          []Change `json:"module_results"`    // modules that differ
	FunctionsChecked int      `json:"functions_checked"` // number of functions compared
	Functions        []Change `json:"function_results"`  // functions that differ
	FilesChecked     int      `json:"files_checked"`     // number of source files compared
	FilesSkipped     bool     `json:"files_skipped"`     // whether there was no checkout to compare with
	Files            []Change `json:"file_results"`      // source files that differ
	RolesMissing     []string `json:"roles_missing"`     // roles that the program does not show
}

// ReportSchema names the form of a Report, which report.schema.json describes.
const ReportSchema = "sealstream-integrity-report/v1"

// Change is one thing that is not as the manifest says.
type Change struct {
	Name     string `json:"name"`               // module, function or file
	State    State  `json:"state"`              // how it differs
	Expected string `json:"expected,omitempty"` // hash or version in the manifest
	Actual   string `json:"actual,omitempty"`   // hash or version found
}

// State tells how something differs from the manifest.
type State string

// The states of a Change.
const (
	Changed State = "changed"
	Missing State = "missing"
	Added   State = "added"
)

// Verify compares a program and, if root is not empty, its source files with a manifest that Open
// has accepted. The report tells what differs. An error means that something could not be read.
// Source files in except, such as the manifest itself, are ignored.
func Verify(m Manifest, by, executable, root string, now time.Time, except ...string) (Report, error) {
	is, err := Look(executable, root, except...)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Schema: ReportSchema, VerifiedAt: now.UTC().Format(time.RFC3339), SignedBy: by, SHA256: is.Binary.SHA256,
		BinaryChanged:  is.Binary != m.Binary,
		ModulesMissing: []string{}, FilesSkipped: root == "" && len(m.Files) > 0,
		RolesMissing: append([]string{}, missingRoles(is.Functions)...),
	}
	want, have := sums(m.Modules), sums(is.Modules)
	r.ModulesChecked, r.Modules = len(want), compare(want, have)
	for _, c := range r.Modules {
		if c.State == Missing {
			r.ModulesMissing = append(r.ModulesMissing, c.Name)
		}
	}
	r.FunctionsChecked, r.Functions = len(m.Functions), compare(m.Functions, is.Functions)
	r.Files = []Change{}
	if root != "" {
		r.FilesChecked, r.Files = len(m.Files), compare(m.Files, is.Files)
	}
	r.Passed = !r.BinaryChanged && len(r.Modules)+len(r.Functions)+len(r.Files)+len(r.RolesMissing) == 0
	return r, nil
}

func sums(list []Module) map[string]string {
	m := map[string]string{}
	for _, x := range list {
		m[x.Path] = x.Version + " " + x.Sum
	}
	return m
}

// compare lists what differs, by name.
func compare(want, have map[string]string) []Change {
	list := []Change{}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch got, there := have[name]; {
		case !there:
			list = append(list, Change{name, Missing, want[name], ""})
		case got != want[name]:
			list = append(list, Change{name, Changed, want[name], got})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, there := want[name]; !there {
			list = append(list, Change{name, Added, "", have[name]})
		}
	}
	return list
}

// strict reads JSON and refuses members that v does not have.
func strict(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
