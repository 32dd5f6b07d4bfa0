package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machine names what was measured on, as far as it can be told. With how many threads is said
// because plain JetStream was measured with as many.
func machine() string {
	name := fmt.Sprintf("%s/%s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name += " (" + strings.TrimSpace(value) + ")"
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d threads, %s", name, runtime.GOMAXPROCS(0), runtime.Version())
}
