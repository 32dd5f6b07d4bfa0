// Package memory finds out how much memory the process may use.
package memory

import (
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// Limit returns the memory limit of the process in bytes: the smallest of GOMEMLIMIT and the limits
// of its cgroup (version 1 or 2) and of the cgroups above it. 0 means that there is no limit, or
// that it is unknown.
func Limit() int64 {
	limit := cgroupLimit("/")
	if soft := debug.SetMemoryLimit(-1); soft < math.MaxInt64 && (limit == 0 || soft < limit) {
		limit = soft
	}
	return limit
}

// cgroupLimit returns the smallest limit of the process' cgroup and of those above it. root is "/"
// except in tests.
func cgroupLimit(root string) int64 {
	groups := cgroups(root)
	limit := int64(0)
	text, _ := os.ReadFile(path.Join(root, "proc/self/mountinfo"))
	for line := range strings.Lines(string(text)) {
		m, ok := parseMount(line)
		if !ok {
			continue
		}
		inside, ok := groups[m.version]
		if !ok {
			continue
		}
		// A container sees its own cgroup as the root of the mount. /proc/self/cgroup has "/" or
		// the path from the host's root.
		if rest, ok := strings.CutPrefix(inside, m.root); ok && m.root != "/" {
			inside = rest
		} else if m.root != "/" {
			inside = "/"
		}
		for inside = path.Clean("/" + inside); ; inside = path.Dir(inside) {
			if n := readLimit(path.Join(root, m.at, inside, m.file)); n > 0 && (limit == 0 || n < limit) {
				limit = n
			}
			if inside == "/" {
				break
			}
		}
	}
	return limit
}

// cgroups returns the process' cgroups that limit memory, by version.
func cgroups(root string) map[int]string {
	groups := map[int]string{}
	text, _ := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(fields) < 3:
		case fields[0] == "0" && fields[1] == "":
			groups[2] = fields[2]
		case hasField(fields[1], "memory"):
			groups[1] = fields[2]
		}
	}
	return groups
}

// mount is the mount point of a cgroup hierarchy, and the part of the hierarchy that is mounted.
type mount struct {
	version        int
	root, at, file string
}

// parseMount parses a line of mountinfo (proc(5)). It returns false for anything but a hierarchy
// that limits memory.
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
	left, right := strings.Fields(before), strings.Fields(after)
	if !ok || len(left) < 5 || len(right) < 3 {
		return mount{}, false
	}
	switch {
	case right[0] == "cgroup2":
		return mount{2, left[3], left[4], "memory.max"}, true
	case right[0] == "cgroup" && hasField(right[2], "memory"):
		return mount{1, left[3], left[4], "memory.limit_in_bytes"}, true
	}
	return mount{}, false
}

func hasField(list, name string) bool {
	for f := range strings.SplitSeq(list, ",") {
		if f == name {
			return true
		}
	}
	return false
}

// readLimit returns a limit, or 0 if there is none: version 2 then has "max", version 1 a huge
// number.
func readLimit(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 || n >= 1<<60 {
		return 0
	}
	return n
}
