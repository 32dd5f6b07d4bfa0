package program

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// version is set by the linker: -X github.com/sealstream/sealstream/internal/program.version=V.
var version string

// Build says what a program was built from.
type Build struct {
	// Version is that of the linker or of the module. Without both it is "devel", with the revision
	// where that is known.
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of Git; "" if the program was built with -buildvcs=false
	Time     string `json:"time,omitempty"`     // of the revision, in RFC 3339
	Modified bool   `json:"modified,omitempty"` // files differed from the revision
	Go       string `json:"go"`                 // version of Go
	Platform string `json:"platform"`           // operating system and architecture
}

// Version returns the version of this program.
func Version() string { return BuildInfo().Version }

// BuildInfo returns what this program was built from.
func BuildInfo() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(version, info)
}

func buildOf(linked string, info *debug.BuildInfo) Build {
	b := Build{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	module := info.Main.Version
	if module == "(devel)" {
		module = ""
	}
	b.Version = cmp.Or(linked, module, "devel")
	if b.Version == "devel" && b.Revision != "" {
		b.Version += " " + b.Revision[:min(12, len(b.Revision))]
		if b.Modified {
			b.Version += " (modified)"
		}
	}
	return b
}
