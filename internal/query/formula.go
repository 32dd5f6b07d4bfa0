package query

import (
	"encoding/json"
	"strings"
	"unicode"
)

// formulas are the characters with which spreadsheets let a formula start: those of OWASP's page on
// CSV injection, with their full-width and small forms, which East Asian versions accept, too.
const formulas = "=+-@＝＋－＠﹦﹢﹣﹫"

// separators split a cell in programs that use another separator than the comma. There, quotes
// around the cell do not keep it together. A line break splits inside of a cell.
const separators = ";\t\r\n"

// escapeFormulas puts an apostrophe before a cell that a spreadsheet could take for a formula, and
// before each formula after a separator in it. JSON that does not start like a formula stays JSON:
// it is escaped only inside.
func escapeFormulas(s string) string {
	begins := s != "" && strings.IndexByte("\t\r\n", s[0]) >= 0 || isFormula(s)
	if !begins && !strings.ContainsAny(s, separators) {
		return s
	}
	isJSON := !begins && json.Valid([]byte(s))
	var b strings.Builder
	inside := false // a character other than blanks was seen
	for i, r := range s {
		b.WriteRune(r)
		if inside && splits(s[i:]) && isFormula(s[i+1:]) && !(isJSON && isNegative(s[i+1:])) {
			b.WriteByte('\'')
		}
		inside = inside || !isBlank(r)
	}
	if begins || b.Len() > len(s) && !isJSON {
		return "'" + b.String()
	}
	return b.String()
}

// splits reports whether a text starts with a separator, the last one if several follow each other.
func splits(s string) bool {
	return strings.IndexByte(separators, s[0]) >= 0 && (len(s) == 1 || strings.IndexByte(separators, s[1]) < 0)
}

// isFormula reports whether a spreadsheet may take a text for a formula. Spreadsheets may skip
// blanks and invisible characters.
func isFormula(s string) bool {
	for _, r := range s {
		if !isBlank(r) {
			return strings.ContainsRune(formulas, r)
		}
	}
	return false
}

func isBlank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2800 || r == 0x3164
}

// isNegative reports whether a text starts with a negative number, as a line of JSON may.
func isNegative(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n")
	return len(s) > 1 && s[0] == '-' && s[1] >= '0' && s[1] <= '9'
}
