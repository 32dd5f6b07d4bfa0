package sealstream_test

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// mostNames is how many package-level names a package may export. Its API is promised, and each name
// is a promise.
var mostNames = map[string]int{
	"pkg/entry": 40,
	"pkg/proof": 45,
}

// TestExports counts the exported package-level names of the packages above, and wants a doc comment
// on each name of pkg/.
func TestExports(t *testing.T) {
	names := map[string]int{}
	for path, file := range production(t) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if !strings.HasPrefix(dir, "pkg/") {
			continue
		}
		for _, decl := range file.tree.Decls {
			for name, doc := range exported(decl) {
				names[dir]++
				if strings.TrimSpace(doc.Text()) == "" {
					t.Errorf("%s: %s has no doc comment", path, name)
				}
			}
		}
	}
	for dir, most := range mostNames {
		if n := names[dir]; n == 0 || n > most {
			t.Errorf("%s exports %d names, want 1 to %d", dir, n, most)
		}
	}
}

// exported returns the exported package-level names that a declaration makes, with their comments.
func exported(decl ast.Decl) map[string]*ast.CommentGroup {
	found := map[string]*ast.CommentGroup{}
	add := func(id *ast.Ident, docs ...*ast.CommentGroup) {
		if !id.IsExported() {
			return
		}
		found[id.Name] = nil
		for _, d := range docs {
			if d != nil {
				found[id.Name] = d
				return
			}
		}
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			add(d.Name, d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				add(s.Name, s.Doc, d.Doc)
			case *ast.ValueSpec:
				doc := d.Doc
				if d.Tok == token.VAR && d.Lparen.IsValid() { // each error has its own
					doc = nil
				}
				for _, id := range s.Names {
					add(id, s.Doc, s.Comment, doc)
				}
			}
		}
	}
	return found
}
