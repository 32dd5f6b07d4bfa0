package secrets

import (
	"encoding/hex"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ordinary are the lines of this repository's text and code, but for those about secrets, and as
// many lines of logs with hashes, ids, epochs, and numbers that look like cards'.
func ordinary(t *testing.T) (lines []string) {
	t.Helper()
	for _, pattern := range []string{
		"README.md", "docs/SPEC.md", "internal/*/README.md", "streams/*", "pkg/entry/*.go", "pkg/proof/*.go",
		"internal/sealer/*.go", "internal/query/*.go", "internal/node/*.go", "internal/alert/*.go",
		"sdk/python/sealstream_[vt]*.py", "go.sum", "LICENSE",
	} {
		files, err := filepath.Glob("../../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.Contains(file, "redact") || strings.HasSuffix(file, "_test.go") { // which hold secrets
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				continue // a folder
			}
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimRight(line, "\n"); line != "" && len(line) < 4096 {
					lines = append(lines, line)
				}
			}
		}
	}
	r := rand.New(rand.NewSource(1))
	for range 1000 {
		b := make([]byte, 64)
		r.Read(b)
		h := hex.EncodeToString(b)
		at := time.Unix(r.Int63n(2e9), r.Int63n(1e9)).UTC()
		uuid := fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[12:15], h[15:18], h[18:30])
		lines = append(lines, h[:64], "sha256:"+h[:64], h[:40]+" refs/heads/main", uuid,
			"did:web:agents.example.com:"+h[:12], fmt.Sprintf("ts=%d id=%d", at.UnixNano(), r.Uint64()),
			fmt.Sprintf("00-%s-%s-01", h[:32], h[32:48]), at.Format(time.RFC3339Nano),
			fmt.Sprintf(`{"order":%d,"total":%.2f,"tokens":%d}`, r.Int63n(1e12), r.Float64()*1e4, r.Intn(1e5)),
			fmt.Sprintf("%s INFO request %s took %dms, prompt_tokens=%d next_page_token=%s", at.Format(time.DateTime),
				uuid, r.Intn(1e4), r.Intn(1e5), h[:20]),
			fmt.Sprintf("epoch %d, %d, %d", at.Unix(), at.UnixMilli(), at.UnixMicro()),
			fmt.Sprintf("no card: %s", unlike(r)),
			fmt.Sprintf(`{"sha1":"%s","etag":"W/\"%s\"","key":"user:%d"}`, h[:40], h[40:72], r.Intn(1e6)))
	}
	return lines
}

// unlike is a number with the range and length of a card's, and another check digit.
func unlike(r *rand.Rand) string {
	d := []byte(fmt.Sprintf("4%015d", r.Int63n(1e15)))
	sum := 0
	for i := range d[:15] {
		v := int(d[i] - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	d[15] = byte('0' + (10-sum%10+1+r.Intn(9))%10)
	return string(d)
}

// TestOrdinary: of ordinary lines, at most one in ten thousand is altered.
func TestOrdinary(t *testing.T) {
	s := set(t)
	lines := ordinary(t)
	altered := 0
	for _, line := range lines {
		if out, kinds := s.Text([]byte(line)); kinds != nil {
			altered++
			t.Logf("%v: %.200q became %.200q", kinds, line, out)
		}
	}
	t.Logf("%d of %d lines altered", altered, len(lines))
	if len(lines) < 30_000 || altered*10_000 > len(lines) {
		t.Errorf("%d of %d lines altered", altered, len(lines))
	}
}
