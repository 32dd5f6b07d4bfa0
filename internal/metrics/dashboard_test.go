package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDashboard: every metric that the dashboard asks for is one that some service shows.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../deploy/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range []string{"metrics.go", "gauges.go", "conditions.go", "room.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	asked := 0
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`sealstream_\w+`).FindAllString(target.Expr, -1) {
				asked++
				short := strings.TrimSuffix(strings.TrimPrefix(name, "sealstream_"), "_bucket")
				if !strings.Contains(source.String(), `"`+short+`"`) &&
					!strings.Contains(source.String(), `"sealstream_`+short+`"`) {
					t.Errorf("%s: there is no metric %s", p.Title, name)
				}
			}
		}
	}
	if asked < 8 {
		t.Errorf("only %d metrics are asked for", asked)
	}
}
