package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sealstream/sealstream/pkg/embed"
	"github.com/sealstream/sealstream/pkg/proof"
)

const ownFramework = `id: own
title: Own
version: "1"
controls:
  - {id: C1, name: One, remedy: do it, evidence: [{what: a configuration, filter: {type: [sealstream.config]}}]}
`

// TestEvidenceExits holds the exit status of what looks for evidence to 0 yes, 1 no or no answer, 2
// wrong use, and the errors of --json to the schema and to the words that are promised. Cases 50
// and 56 of conformance/cases_test.go.
func TestEvidenceExits(t *testing.T) {
	l, err := embed.Open(t.Context(), embed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := httptest.NewServer(l.Handler())
	defer s.Close()
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	skey, vkey, err := proof.GenerateKey("other.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	own, broken, other := file("own.yaml", ownFramework), file("broken.yaml", "id: [\n"), file("other.key", skey+"\n")
	attestation, log := filepath.Join(dir, "a.json"), "--server="+s.URL
	const internal = `{"status":"error","message":"Audit log processing failed","type":"InternalError"}` + "\n"
	for _, c := range []struct {
		exit  int
		error string // type of the error in --json; "": there is none
		args  []string
	}{
		{0, "", []string{"compliance", "verify", log, "--key", l.Key(), "--framework", own, "--window", "all", "--out", attestation}},
		{1, "", []string{"compliance", "verify", log, "--key", l.Key()}},
		{1, "InternalError", []string{"compliance", "verify", log, "--key", vkey}},
		{1, "InternalError", []string{"compliance", "verify", log, "--key", l.Key(), "--out", filepath.Join(dir, "none", "a.json")}},
		{1, "InternalError", []string{"compliance", "verify", log, "--key", l.Key(), "--report", filepath.Join(dir, "none", "r.html")}},
		{1, "InternalError", []string{"compliance", "verify", log, "--log", "none"}},
		{2, "ValidationError", []string{"compliance", "verify", log, "--key", l.Key(), "--sign", other}},
		{2, "ValidationError", []string{"compliance", "verify", log, "--sign", own}},
		{2, "ValidationError", []string{"compliance", "verify", log, "--key", broken}},
		{2, "ValidationError", []string{"compliance", "verify", log, "--framework", broken}},
		{2, "ValidationError", []string{"compliance", "verify", log, "--framework", dir}},
		{2, "ValidationError", []string{"compliance", "verify", log, "--window", "0d"}},
		{2, "ValidationError", []string{"compliance", "verify", log, "--window=-3d"}},
		{2, "ValidationError", []string{"compliance", "verify", log, "--window", "99999999999999999999d"}},
		{2, "ValidationError", []string{"compliance", "verify", log, "--window="}},
		{0, "", []string{"report", log, "--key", l.Key(), "--from", "2001-01-01T00:00:00Z", "--to", "2001-01-02T00:00:00Z"}},
		{1, "InternalError", []string{"report", log, "--key", l.Key(), "--out", filepath.Join(dir, "none", "r.html")}},
		{2, "ValidationError", []string{"report", log, "--from", "2026-02-30T00:00:00Z"}},
		{2, "ValidationError", []string{"report", log, "--from", "2026-02-03T00:00:00Z", "--to", "2026-02-02T00:00:00Z"}},
		{1, "", []string{"compliance", "check", attestation, "--key", l.Key()}}, // it is not signed
		{2, "ValidationError", []string{"compliance", "check", filepath.Join(dir, "none"), "--key", l.Key()}},
		{2, "ValidationError", []string{"compliance", "check", attestation, "--key="}},
	} {
		var out, errs bytes.Buffer
		exit := run(t.Context(), append(c.args, "--json"), strings.NewReader(""), &out, &errs)
		if exit != c.exit {
			t.Errorf("%v: exit %d, want %d\n%s%s", c.args, exit, c.exit, &out, &errs)
		}
		if is := strings.Contains(out.String(), `"status":"error"`); is != (c.error != "") ||
			is && !strings.Contains(out.String(), `"type":"`+c.error+`"`) {
			t.Errorf("%v: %s", c.args, &out)
		} else if is {
			isError(t, out.String())
		}
		if c.error == "InternalError" && out.String() != internal {
			t.Errorf("%v tells %s", c.args, &out)
		}
	}
}

// isError holds an answer to the schema of errors.
func isError(t *testing.T, text string) {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("../../pkg/compliance/schema/error.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = s.Validate(doc)
	}
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
}
