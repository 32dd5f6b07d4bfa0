package redact

// quotation is a quoted string in a text: its quote, and the number of backslashes before that,
// because the text may itself be inside strings.
type quotation struct {
	ok      bool
	quote   byte
	slashes int
	triple  bool
	from    int // start of its content
}

// quoteAt returns the quotation that starts at i, perhaps after the prefix of a raw string.
func quoteAt(t []byte, i int) quotation {
	if i+1 < len(t) && (isLetter(t[i]) || t[i] == '@' || t[i] == '$') && (t[i+1] == '"' || t[i+1] == '\'') &&
		(i == 0 || !wordClass[t[i-1]]) {
		i++
	}
	q := quotation{}
	for i < len(t) && t[i] == '\\' && q.slashes < 64 {
		q.slashes++
		i++
	}
	if i >= len(t) || t[i] != '"' && t[i] != '\'' && t[i] != '`' {
		return quotation{}
	}
	q.ok, q.quote, q.from = true, t[i], i+1
	if q.slashes == 0 && i+2 < len(t) && t[i+1] == t[i] && t[i+2] == t[i] {
		q.triple, q.from = true, i+3
	}
	return q
}

// end returns the end of the content, before the closing backslashes and quote. A quotation that is
// cut off extends to the end of the text.
func (q quotation) end(t []byte) int {
	run := 0
	for i := q.from; i < len(t); i++ {
		switch {
		case t[i] == '\\':
			run++
			continue
		case t[i] == q.quote && q.triple:
			if i+2 >= len(t) || t[i+1] == q.quote && t[i+2] == q.quote {
				return i - run
			}
		case t[i] == q.quote && run >= q.slashes && (run-q.slashes)%(2*(q.slashes+1)) == 0:
			return i - q.slashes
		}
		run = 0
	}
	return len(t)
}

// after returns the offset after the quotation whose content ends at end.
func (q quotation) after(t []byte, end int) int {
	n := q.slashes + 1
	if q.triple {
		n = 3
	}
	return min(len(t), end+n)
}
