package integrity

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Report is the answer to a verification. Lists hold what is wrong alone, and are never null.
type Report struct {
	Schema     string `json:"schema"`
	Passed     bool   `json:"passed"`
	VerifiedAt string `json:"verified_at"`
	SignedBy   string `json:"signed_by"` // verifier key
	SHA256     string `json:"binary_sha256"`

	BinaryChanged    bool     `json:"binary_changed"`
	ModulesChecked   int      `json:"modules_checked"`
	ModulesMissing   []string `json:"modules_missing"`
	Modules          []Change `json:"module_results"`
	FunctionsChecked int      `json:"functions_checked"`
	Functions        []Change `json:"function_results"`
	FilesChecked     int      `json:"files_checked"`
	FilesSkipped     bool     `json:"files_skipped"` // the manifest has source files, and there was no checkout to compare them with
	Files            []Change `json:"file_results"`
	RolesMissing     []string `json:"roles_missing"`
}

// ReportSchema is the form of a Report; report.schema.json describes it.
const ReportSchema = "sealstream-integrity-report/v1"

// Change is one thing that is not as the manifest says.
type Change struct {
	Name     string `json:"name"`
	State    State  `json:"state"`
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
}

// State says in which way something is not as the manifest says.
type State string

// The states of a Change.
const (
	Changed State = "changed"
	Missing State = "missing"
	Added   State = "added"
)

// Verify compares a program, and with a root its source files, with a manifest that Open has taken. An error says that they could not be read;
// that they differ is in the report. Source files in except are not looked at: the manifest's own file.
func Verify(m Manifest, by, executable, root string, now time.Time, except ...string) (Report, error) {
	is, err := Look(executable, root, except...)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Schema: ReportSchema, VerifiedAt: now.UTC().Format(time.RFC3339), SignedBy: by, SHA256: is.Binary.SHA256, BinaryChanged: is.Binary != m.Binary,
		ModulesMissing: []string{}, FilesSkipped: root == "" && len(m.Files) > 0, RolesMissing: append([]string{}, missingRoles(is.Functions)...),
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

// strict reads JSON that has no member that v does not know.
func strict(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
