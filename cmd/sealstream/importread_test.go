package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
)

// lineNumbers is a format that takes all, and remembers which lines.
type lineNumbers struct {
	lines []int
	first string
}

func (f *lineNumbers) event(_ *importer, raw []byte, line int) (imported, error) {
	if f.lines = append(f.lines, line); len(f.lines) == 1 {
		f.first = string(raw)
	}
	return imported{line: line, event: bytes.Clone(raw), of: entry.Event{}}, nil
}

// TestImportLines: of a hostile file each line is read or refused by its number, and none takes more memory than its bound.
func TestImportLines(t *testing.T) {
	long := func(n int) io.Reader { return io.LimitReader(endless{}, int64(n)) }
	for name, c := range map[string]struct {
		in    io.Reader
		first string
		lines []int
		bad   []int
	}{
		"byte order mark":       {strings.NewReader("\xef\xbb\xbf{\"a\":1}\r\n{}\r\n"), `{"a":1}`, []int{1, 2}, nil},
		"mark before an array":  {strings.NewReader("\xef\xbb\xbf[{\"a\":1},{}]"), `{"a":1}`, []int{1, 2}, nil},
		"mark alone":            {strings.NewReader("\xef\xbb\xbf"), "", nil, nil},
		"empty lines":           {strings.NewReader("\n\n{}\n\r\n{}"), "{}", []int{3, 5}, nil},
		"too long in between":   {io.MultiReader(strings.NewReader("{}\n"), long(20<<20), strings.NewReader("\n{}\n")), "{}", []int{1, 3}, []int{2}},
		"too long at the end":   {io.MultiReader(strings.NewReader("{}\n"), long(maxImportLine+1)), "{}", []int{1}, []int{2}},
		"as long as may be":     {io.MultiReader(strings.NewReader("{}\n"), long(maxImportLine-1), strings.NewReader("\n")), "{}", []int{1, 2}, nil},
		"one byte more than so": {io.MultiReader(strings.NewReader("{}\n"), long(maxImportLine), strings.NewReader("\n{}")), "{}", []int{1, 3}, []int{2}},
	} {
		f := &lineNumbers{}
		im := &importer{format: f, dry: true}
		if err := im.read(c.in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var bad []int
		for _, p := range im.report.Problems {
			bad = append(bad, p.Line)
		}
		if !slices.Equal(f.lines, c.lines) || !slices.Equal(bad, c.bad) || f.first != c.first || im.report.Rejected != len(c.bad) {
			t.Errorf("%s: lines %v, refused %v, first %.20q", name, f.lines, bad, f.first)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}
