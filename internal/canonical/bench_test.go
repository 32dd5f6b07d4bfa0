package canonical

import (
	"strings"
	"testing"
)

// BenchmarkAppendText reads a text with as many escapes as JSON within JSON has, and one without.
func BenchmarkAppendText(b *testing.B) {
	for name, text := range map[string]string{
		"escapes": strings.Repeat(`{\"name\": \"Mia Li\", \"note\": \"called about the invoice\"}, `, 10),
		"plain":   strings.Repeat(`called on Tuesday about the invoice, then again on Friday. `, 10),
	} {
		b.Run(name, func(b *testing.B) {
			quoted := AppendString(nil, text)
			dst := make([]byte, 0, len(quoted))
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r := Reader[[]byte]{s: quoted}
				if _, isText := r.AppendText(dst); !isText {
					b.Fatal("not text")
				}
			}
		})
	}
}
