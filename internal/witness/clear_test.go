package witness

import (
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestPasswordInClear: a password in a witness's URL goes to another machine over https alone, and is not shown.
func TestPasswordInClear(t *testing.T) {
	for url, ok := range map[string]bool{
		"http://user:s3cret@witness.example.com/w": false, "http://user:s3cret@127.0.0.1/w": true, "https://user:s3cret@witness.example.com/w": true,
		"http://witness.example.com/w": true,
	} {
		policy := &proof.Policy{Witnesses: []proof.PolicyWitness{{Name: "w", URL: url}}}
		c, err := NewCollector(CollectorConfig{Log: store.NewMemory("default"), Keys: []string{"k"}, Policy: policy})
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
		if shown := shownURL(url); strings.Contains(shown, "s3cret") || !strings.HasSuffix(shown, "/w") ||
			c == nil && ok {
			t.Errorf("%s is shown as %s", url, shown)
		}
	}
}
