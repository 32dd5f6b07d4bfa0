package memory

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// TestCgroupLimit: the files as kernels, containers and hybrid systems show them.
func TestCgroupLimit(t *testing.T) {
	const v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	const v1 = "37 34 0:30 / /sys/fs/cgroup/memory rw,relatime shared:16 - cgroup cgroup rw,memory\n" +
		"36 34 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:15 - cgroup cgroup rw,cpu\n"
	for _, c := range []struct {
		name, cgroup, mounts string
		files                map[string]string
		want                 int64
	}{
		{"v2", "0::/a/b\n", v2, map[string]string{"sys/fs/cgroup/a/b/memory.max": "536870912\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 512 << 20},
		{"v2, the group above is smaller", "0::/a/b\n", v2, map[string]string{"sys/fs/cgroup/a/b/memory.max": "536870912\n", "sys/fs/cgroup/a/memory.max": "1048576\n"}, 1 << 20},
		{"v2, no limit", "0::/a\n", v2, map[string]string{"sys/fs/cgroup/a/memory.max": "max\n"}, 0},
		{"v2 in a container", "0::/\n", v2, map[string]string{"sys/fs/cgroup/memory.max": "1000000\n"}, 1000000},
		{"v1", "5:cpu:/x\n4:memory:/a\n", v1, map[string]string{"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "2000000\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 2000000},
		{"v1, several controllers", "4:cpuacct,memory:/a\n", v1, map[string]string{"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "3000000\n"}, 3000000},
		{"v1, no limit", "4:memory:/a\n", v1, map[string]string{"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"v1 in a container that shows its own part", "4:memory:/docker/abc\n", "37 34 0:30 /docker/abc /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory\n",
			map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "4000000\n"}, 4000000},
		{"v1 in a container below its own part", "4:memory:/docker/abc/in\n", "37 34 0:30 /docker/abc /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory\n",
			map[string]string{"sys/fs/cgroup/memory/in/memory.limit_in_bytes": "5000000\n"}, 5000000},
		{"hybrid", "4:memory:/a\n0::/\n", v1 + "31 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", map[string]string{"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "6000000\n"}, 6000000},
		{"another controller alone", "5:cpu:/x\n", v1, map[string]string{"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "7000000\n"}, 0},
		{"no cgroups", "", "", nil, 0},
		{"nonsense", "::\nx\n", "a b - c\n", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			files := map[string]string{"proc/self/cgroup": c.cgroup, "proc/self/mountinfo": c.mounts}
			for name, text := range c.files {
				files[name] = text
			}
			for name, text := range files {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := cgroupLimit(root); got != c.want {
				t.Errorf("limit %d, want %d", got, c.want)
			}
		})
	}
}

// TestGoMemLimit: the Go runtime's own limit counts, too.
func TestGoMemLimit(t *testing.T) {
	old := debug.SetMemoryLimit(100 << 20)
	defer debug.SetMemoryLimit(old)
	if got := Limit(); got == 0 || got > 100<<20 {
		t.Errorf("limit %d, want at most 100 MiB", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	KeepTo(40 << 20)
	if got := debug.SetMemoryLimit(-1); got != 30<<20 {
		t.Errorf("the collector keeps to %d, want 30 MiB", got)
	}
	t.Setenv("GOMEMLIMIT", "1GiB")
	KeepTo(10 << 20)
	if got := debug.SetMemoryLimit(-1); got != 30<<20 {
		t.Errorf("the collector keeps to %d although GOMEMLIMIT is set", got)
	}
}
