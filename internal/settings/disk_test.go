package settings

import (
	"testing"

	"github.com/sealstream/sealstream/internal/disk"
)

func TestRoomFlag(t *testing.T) {
	for text, want := range map[string]disk.Level{
		"5%": {Share: .05}, "2.5%": {Share: .025}, "1GiB": {Most: 1 << 30}, "5%,1GiB": {Share: .05, Most: 1 << 30}, "1GB": {Most: 1e9}, "0": {}, "100000": {Most: 100000},
	} {
		var r Room
		if err := r.UnmarshalText([]byte(text)); err != nil || r.level != want {
			t.Errorf("%q: %+v, %v", text, r.level, err)
		}
		if b, err := r.MarshalText(); err != nil || string(b) != text {
			t.Errorf("%q is written as %q, %v", text, b, err)
		}
	}
	for _, text := range []string{
		"%", "-1%", "100%", "NaN%", "1GiB,5%", "5%,6%", "1GiB,2GiB", "5%,1GiB,1", "1XB", "x", "5%,",
	} {
		var r Room
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: taken for %+v", text, r.level)
		}
	}
}
