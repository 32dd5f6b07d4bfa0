package main

import (
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// style says how much a terminal can show. The zero style is plain text of any width.
type style struct {
	colour bool
	width  int // 0: no end
}

// The colours that lines have; "" is none.
const (
	red    = "31"
	yellow = "33"
	cyan   = "36"
	bold   = "1"
	faint  = "2"
)

// styleOf: colours only on a terminal that has not refused them (no-color.org), and lines as wide as it is.
func styleOf(w io.Writer) style {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return style{}
	}
	s := style{colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.width = width
	}
	return s
}

func (s style) paint(colour, text string) string {
	if !s.colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// line is a prefix and a text in a colour, cut to the width.
func (s style) line(prefix, colour, text string) string {
	text = strings.TrimRight(text, " ")
	if s.width > 0 {
		room := max(s.width-utf8.RuneCountInString(prefix), 8)
		text = cut(text, room)
	}
	return prefix + s.paint(colour, text) + "\n"
}

// plain is a text of several lines in which nothing is left that a terminal obeys: servers' answers stand in messages.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

// cut shortens text to n characters.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}
