package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

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

// TestImportLines: of a hostile file each line is read or refused by its number, and none takes
// more memory than its bound.
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
		if !slices.Equal(f.lines, c.lines) || !slices.Equal(bad, c.bad) || f.first != c.first ||
			im.report.Rejected != len(c.bad) {
			t.Errorf("%s: lines %v, refused %v, first %.20q", name, f.lines, bad, f.first)
		}
	}
}

// TestImportArray: one bad element of an array does not hide the others, whatever is wrong with it.
func TestImportArray(t *testing.T) {
	ok := func(n int) string { return fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"s","type":"t"}`, n) }
	good := func(in string) string {
		for n := range 9 {
			in = strings.ReplaceAll(in, fmt.Sprintf("<%d>", n), ok(n))
		}
		return in
	}
	for name, c := range map[string]struct {
		in   string
		ids  string // of the events that are taken
		bad  []int  // elements with a problem
		text string // of the first problem
	}{
		"a NaN":                        {`[<1>,{"specversion":"1.0","id":"2","source":"s","type":"t","data":{"x":NaN}},<3>]`, "13", []int{2}, ""},
		"no JSON":                      {`[<1>,undefined, {'a':1} ,<4>,nope:1,<6>]`, "146", []int{2, 3, 5}, ""},
		"other values":                 {`[null,7,"x",[<0>],<5>,true]`, "5", []int{1, 2, 3, 4, 6}, ""},
		"empty elements":               {`[,<2>,,<4>,]`, "24", []int{1, 3, 5}, "an empty element"},
		"an empty array":               {` [ ] `, "", nil, ""},
		"no comma":                     {`[<1> <2>` + "\n" + `<3>,<4>]`, "1234", []int{1, 2}, "no comma"},
		"a brace too many":             {`[<1>},<2>]`, "12", []int{1, 2}, ""},
		"brackets that do not fit":     {`[{"id":[1},<2>,{"id":{"a":[[1]},<4>]`, "2", []int{1, 3}, ""},
		"a list that does not close":   {`[{"id":[{"a":1},<2>}},<3>]`, "3", []int{1, 1, 2}, ""},
		"a line that does not close":   {"[\n  {\"id\":{\"a\":1},\n  <2>,\n  <3>\n]", "23", []int{1}, "do not close"},
		"a quote that does not close":  {"[{\"id\":\"a},\n<2>,\n{\"id\":\"},\n<4>]", "24", []int{1, 3}, "do not close"},
		"nested lines":                 {"[\n{\n \"id\": [\n  {\"id\":\"a\n },\n<2>]", "2", []int{1}, ""},
		"a control character":          {"[{\"id\":\"\x01\"},<2>]", "2", []int{1}, ""},
		"bad UTF-8":                    {"[{\"id\":\"\xff\"},<2>]", "2", []int{1}, ""},
		"a lone surrogate":             {`[{"specversion":"1.0","id":"\ud800","source":"s","type":"t"},<2>]`, "2", []int{1}, ""},
		"brackets and commas in text":  {`[{"specversion":"1.0","id":"1","source":"s","type":"t","note":"],}{[\\\"],"},<2>]`, "12", nil, ""},
		"too long":                     {`[<1>,{"id":"` + strings.Repeat("x", maxImportLine) + `"},<3>]`, "13", []int{2}, "longer than"},
		"too long, and does not close": {"[<1>,\n{\"id\":\"a},\n<3>,{\"x\":\"" + strings.Repeat("x", maxImportLine) + "\"},<5>]", "135", []int{2, 4}, "do not close"},
		"it breaks off":                {`[<1>,{"id":"2`, "1", []int{2}, "ends here"},
		"it breaks off behind a comma": {`[<1>,`, "1", []int{2}, "ends here"},
		"no bracket at the end":        {`[<1>,<2>`, "12", []int{3}, "ends here"},
		"something follows":            {`[<1>] <2>`, "1", []int{2}, "something follows"},
	} {
		f := &eventIDs{}
		im := &importer{format: f, dry: true}
		if err := im.read(iotest.OneByteReader(strings.NewReader(good(c.in)))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var bad []int
		for _, p := range im.report.Problems {
			bad = append(bad, p.Line)
		}
		slices.Sort(bad)
		if f.ids != c.ids || !slices.Equal(bad, c.bad) ||
			c.text != "" && !strings.Contains(im.report.Problems[0].Reason, c.text) {
			t.Errorf("%s: took %q, refused %v: %v; want %q, %v", name, f.ids, bad, im.report.Problems, c.ids, c.bad)
		}
	}
}

// eventIDs is the format of CloudEvents, and remembers the ids.
type eventIDs struct {
	cloudEvents
	ids string
}

func (f *eventIDs) event(im *importer, raw []byte, line int) (imported, error) {
	x, err := f.cloudEvents.event(im, raw, line)
	f.ids += x.of.ID
	return x, err
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}
