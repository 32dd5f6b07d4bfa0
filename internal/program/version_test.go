package program

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "6c4a4ed8c1f0a3b2"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, c := range []struct {
		linked, module string
		settings       []debug.BuildSetting
		want           string
	}{
		{"v1.2.3", "v1.0.0", nil, "v1.2.3"},
		{"", "v1.0.0", []debug.BuildSetting{revision}, "v1.0.0"},
		{"", "(devel)", []debug.BuildSetting{revision}, "devel 6c4a4ed8c1f0"},
		{"", "", []debug.BuildSetting{revision, modified}, "devel 6c4a4ed8c1f0 (modified)"},
		{"", "(devel)", nil, "devel"},
		{"", "", []debug.BuildSetting{{Key: "vcs.revision", Value: "6c"}}, "devel 6c"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: c.module}, Settings: c.settings}
		if got := buildOf(c.linked, info); got.Version != c.want || got.Go == "" {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}
