package sealstream_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// Widths of Go lines, in characters. A tab counts as one.
const (
	codeWidth    = 120
	commentWidth = 100
)

// TestColumns: no line of Go is longer than codeWidth, and no comment on a line of its own, outside
// tests, is longer than commentWidth. Exempt is what cannot be parted, or reads worse in parts:
//
//   - tables of tests: in a _test.go file, the lines within a literal of a list or a map that has
//     several lines, but not the functions in it
//   - struct tags, and texts in back quotes that have several lines
//   - generated files
//
// Preformatted lines of comments (pictures, tables) may have codeWidth.
func TestColumns(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || name != "." && strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, long := range longLines(t, path, string(text)) {
			t.Errorf("%s:%s", path, long)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// longLines lists the lines of a file that are too long.
func longLines(t *testing.T, path, text string) (list []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(file) {
		return nil
	}
	test := strings.HasSuffix(path, "_test.go")
	e := exempt{set: set, tables: test, lines: map[int]bool{}}
	ast.Walk(e, file)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSuffix(line, "\n")
		width, most := utf8.RuneCountInString(line), codeWidth
		if comment, ok := strings.CutPrefix(strings.TrimLeft(line, "\t"), "// "); ok && !test &&
			!strings.HasPrefix(comment, " ") {
			most = commentWidth
		}
		if width > most && !e.lines[n] {
			list = append(list, fmt.Sprintf("%d: %d characters, more than %d", n, width, most))
		}
	}
	return list
}

// exempt notes the lines that may be long.
type exempt struct {
	set    *token.FileSet
	tables bool
	lines  map[int]bool
}

// Visit is called for a node before the nodes in it.
func (e exempt) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.CompositeLit:
		_, named := n.Type.(*ast.Ident)
		_, imported := n.Type.(*ast.SelectorExpr)
		if e.tables && !named && !imported {
			e.mark(n.Lbrace, n.Rbrace, true)
		}
	case *ast.FuncLit:
		e.mark(n.Body.Lbrace, n.Body.Rbrace, false)
	case *ast.BasicLit:
		if first, last := e.line(n.Pos()), e.line(n.End()); n.Kind == token.STRING && first != last {
			e.lines[first] = true
			e.mark(n.Pos(), n.End(), true)
		}
	case *ast.Field:
		if n.Tag != nil {
			e.lines[e.line(n.Tag.Pos())] = true
		}
	}
	return e
}

func (e exempt) line(p token.Pos) int { return e.set.Position(p).Line }

// mark exempts the lines after the one of from, up to the one of to, or takes that back.
func (e exempt) mark(from, to token.Pos, may bool) {
	for i := e.line(from) + 1; i <= e.line(to); i++ {
		if may {
			e.lines[i] = true
		} else {
			delete(e.lines, i)
		}
	}
}
