package main

import (
	"strings"
	"testing"
)

// TestURLSecrets: no error of a URL that is given shows more of it than where it leads.
func TestURLSecrets(t *testing.T) {
	for _, args := range [][]string{
		{"query", "--server", "http://u:hidden@127.0.0.1:1/hidden?token=hidden#hidden"},
		{"query", "--server", "u:hidden@example.com"},
		{"get", "0", "--server", "http://127.0.0.1:1/?token=hidden"},
		{"doctor", "--server", "http://u:hidden@127.0.0.1:1/?token=hidden"},
		{"doctor", "--server", "u:hidden@example.com"},
		{"log", "--agent", "did:web:a", "--type", "t", "--server", "http://127.0.0.1:1/hidden?token=hidden"},
		{"verify", "http://127.0.0.1:1/hidden?token=hidden", "--no-state"},
	} {
		var out, errs strings.Builder
		run(t.Context(), args, strings.NewReader(""), &out, &errs)
		if text := out.String() + errs.String(); strings.Contains(text, "hidden") || text == "" {
			t.Errorf("%q: %s", args, text)
		}
	}
}
