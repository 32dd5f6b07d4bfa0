package main

import (
	"io"
	"strings"
	"unicode/utf8"
)

// column is a column of a table on a terminal.
type column struct {
	title string

	// least is how far the column shrinks where the table is wider than the terminal, in characters.
	// 0: it keeps its width.
	least int
}

// table is a table that fits a terminal. Columns that may shrink give way, the widest first, and
// their cells are cut. The columns get wider, never narrower, with the rows of later writes.
type table struct {
	style
	columns []column
	rows    [][]string
	colours []string // of each row
	widths  []int    // the least widths, in characters; nil before the first write
}

func (t *table) add(colour string, cells ...string) {
	t.rows, t.colours = append(t.rows, cells), append(t.colours, colour)
}

// write prints the rows, and the heading the first time. The table is empty then.
func (t *table) write(w io.Writer) error {
	var b strings.Builder
	first := t.widths == nil
	t.measure()
	if first {
		b.WriteString(t.line("", faint, t.aligned(t.heading())))
	}
	for i, row := range t.rows {
		b.WriteString(t.line("", t.colours[i], t.aligned(row)))
	}
	t.rows, t.colours = nil, nil
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *table) heading() []string {
	heading := make([]string, len(t.columns))
	for i, c := range t.columns {
		heading[i] = c.title
	}
	return heading
}

// measure widens the columns to the rows that are there, as far as the terminal has room.
func (t *table) measure() {
	if t.widths == nil {
		t.widths = make([]int, len(t.columns))
	}
	for _, row := range append([][]string{t.heading()}, t.rows...) {
		for i, text := range row {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(text))
		}
	}
	t.shrink(t.widths)
}

// gap is what stands between two columns.
const gap = 2

// shrink takes from the columns that may give way until the table fits, or none of them can.
func (t *table) shrink(widths []int) {
	if t.width == 0 {
		return
	}
	total := gap * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	for ; total > t.width; total-- {
		widest := -1
		for i, c := range t.columns {
			if c.least > 0 && widths[i] > c.least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// aligned joins cells, each filled to its width, or cut to it where the column may shrink.
func (t *table) aligned(cells []string) string {
	var b strings.Builder
	for i, text := range cells {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		if t.columns[i].least > 0 {
			text = cut(text, max(t.widths[i], 1))
		}
		b.WriteString(text)
		b.WriteString(strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(text))))
	}
	return b.String()
}
