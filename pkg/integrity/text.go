package integrity

import (
	"bytes"
	"fmt"
	"io"
)

// Summary writes the report as text for people.
func (r Report) Summary(out io.Writer) error {
	w := new(bytes.Buffer)
	state := "FAILED"
	if r.Passed {
		state = "PASSED"
	}
	fmt.Fprintf(w, "Integrity verification — %s\n", state)
	fmt.Fprintf(
		w,
		"Signed by:  %s\nChecked:    %d modules, %d functions, %d source files\n",
		r.SignedBy,
		r.ModulesChecked,
		r.FunctionsChecked,
		r.FilesChecked,
	)
	if r.FilesSkipped {
		fmt.Fprint(w, "            source files were not compared: there is no checkout here (--source)\n")
	}
	if r.BinaryChanged {
		fmt.Fprintf(w, "binary      changed   sha256 %s\n", r.SHA256)
	}
	for _, list := range []struct {
		what    string
		changes []Change
	}{{"module", r.Modules}, {"function", r.Functions}, {"file", r.Files}} {
		for _, c := range list.changes {
			fmt.Fprintf(w, "%-11s %-9s %q\n", list.what, c.State, c.Name)
		}
	}
	for _, name := range r.RolesMissing {
		fmt.Fprintf(w, "%-11s %-9s %q\n", "role", Missing, name)
	}
	_, err := out.Write(w.Bytes())
	return err
}
