package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// style is what a terminal can show. The zero style is plain text of any width.
type style struct {
	colour bool
	width  int // 0 is without a limit
}

// Colours of lines, as parameters of the SGR sequence. "" is no colour.
const (
	red    = "31"
	yellow = "33"
	cyan   = "36"
	bold   = "1"
	faint  = "2"
)

// styleOf returns the style of a terminal: its width, and colours unless NO_COLOR (no-color.org) is
// set or TERM is dumb. The style of anything else is the zero style.
func styleOf(w io.Writer) style {
	f, ok := terminalOf(w)
	if !ok {
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

// line returns a line of a prefix and a text in a colour, cut to the width.
func (s style) line(prefix, colour, text string) string {
	text = strings.TrimRight(text, " ")
	if s.width > 0 {
		room := max(s.width-utf8.RuneCountInString(prefix), 8)
		text = cut(text, room)
	}
	return prefix + s.paint(colour, text) + "\n"
}

// label is what stands at the beginning of a line, below whose end its other lines begin.
var label = regexp.MustCompile(`^ *(- |[A-Za-z]+: +)?`)

// fold wraps each line of a text, such as a summary, under its label. A row of a table is cut after
// a word instead.
func (s style) fold(text string) string {
	if s.width == 0 {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		indent := len(label.FindString(line))
		if strings.Contains(line[indent:], "  ") {
			if short := cut(line, s.width); short != line {
				line = short[:strings.LastIndexByte(short, ' ')+1] + "…"
			}
			b.WriteString(line + "\n")
		} else {
			b.WriteString(s.wrap(line, indent))
		}
	}
	return b.String()
}

// wrap returns a text in lines that fit the width, all but the first indented. Longer words stay
// whole, so that they can be copied.
func (s style) wrap(text string, indent int) string {
	if s.width == 0 {
		return text + "\n"
	}
	if s.width-indent < 20 {
		indent = 2
	}
	var b strings.Builder
	room := s.width
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case n+1 > room && room < s.width-indent:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			room = s.width - indent
		default:
			b.WriteByte(' ')
			room--
		}
		b.WriteString(word)
		room -= n
	}
	b.WriteByte('\n')
	return b.String()
}

// plain replaces every character that a terminal would obey, except line breaks and tabs. Messages
// may contain the answers of servers.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

// cut shortens a text to n characters.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}
