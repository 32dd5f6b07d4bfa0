package sealstream_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSubjects: streams/subject is the only package that spells a subject. Whoever names one calls it.
func TestSubjects(t *testing.T) {
	for path, file := range production(t) {
		if strings.HasPrefix(path, "streams/subject/") {
			continue
		}
		ast.Inspect(file.tree, func(n ast.Node) bool {
			s, ok := n.(*ast.BasicLit)
			if ok && s.Kind == token.STRING && strings.HasPrefix(strings.Trim(s.Value, "\"`"), "audit.") {
				t.Errorf("%s: %s is a subject; package streams/subject names it", file.at(s.Pos()), s.Value)
			}
			return true
		})
	}
}

// TestLoops: internal/store has the only loop of followers, and internal/retry the only pauses that grow.
func TestLoops(t *testing.T) {
	grows := regexp.MustCompile(`min\((max\()?2 ?\* ?(wait|pause|backoff|delay)|(wait|pause|backoff|delay) \*= 2`)
	verdict := regexp.MustCompile(`errors\.Is\(err, sealedlog\.ErrVersion\)\n\}`)
	verdicts := 0
	for path := range production(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if found := grows.Find(text); found != nil {
			t.Errorf("%s: %q is a backoff; package internal/retry has one", path, found)
		}
		verdicts += len(verdict.FindAll(text, -1))
	}
	if verdicts != 1 {
		t.Errorf("%d functions decide which errors end a follower; store.Final does", verdicts)
	}
}

// source is a parsed file.
type source struct {
	tree *ast.File
	set  *token.FileSet
}

func (s source) at(p token.Pos) string { return s.set.Position(p).String() }

// production parses the Go files of the module that are no tests, by their path from the root.
func production(t *testing.T) map[string]source {
	t.Helper()
	files := map[string]source{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testdata" || name == "tools" || name != "." && strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution|parser.ParseComments)
		files[filepath.ToSlash(path)] = source{tree, set}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
