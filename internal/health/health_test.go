package health_test

import (
	"slices"
	"testing"

	"github.com/sealstream/sealstream/internal/health"
)

func TestBoard(t *testing.T) {
	var b health.Board
	var seen []string
	b.OnChange(func(c health.Condition) { seen = append(seen, c.Name+" "+c.State.String()) })
	if w := b.Worst(); w.Name != "" || w.State != health.OK {
		t.Errorf("an empty board has %+v", w)
	}
	b.Set("disk", health.OK, "")
	b.Set("sealer", health.Failing, "PAYLOADS is full")
	since := b.Worst().Since
	b.Set("sealer", health.Failing, "PAYLOADS is full, 3 events wait")
	b.Set("disk", health.Warning, "85 % used")
	if w := b.Worst(); w.Name != "sealer" || w.Text != "PAYLOADS is full, 3 events wait" || w.Since != since {
		t.Errorf("worst: %+v", w)
	}
	b.Set("sealer", health.OK, "")
	if w := b.Worst(); w.Name != "disk" || w.State != health.Warning {
		t.Errorf("worst: %+v", w)
	}
	if l := b.List(); len(l) != 2 || l[0].Name != "disk" || l[1].Name != "sealer" {
		t.Errorf("list: %+v", l)
	}
	if want := []string{"sealer failing", "disk warning", "sealer ok"}; !slices.Equal(seen, want) {
		t.Errorf("changes %v, want %v", seen, want)
	}
}
