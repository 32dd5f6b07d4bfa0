package settings

import "github.com/sealstream/sealstream/internal/memory"

// MemoryFlags is the memory limit of a program.
type MemoryFlags struct {
	MemoryLimit Bytes `help:"Memory limit. Requests that would need more are refused. 0 takes the limit of the cgroup or container, or GOMEMLIMIT." default:"0" placeholder:"SIZE"`
}

// Limit returns the memory limit in bytes; 0 means none.
func (f MemoryFlags) Limit() int64 {
	if f.MemoryLimit > 0 {
		return int64(f.MemoryLimit)
	}
	return memory.Limit()
}

// KeepTo makes the garbage collector keep to the limit. Call it in programs, not in a log that is
// embedded in another program.
func (f MemoryFlags) KeepTo() { memory.KeepTo(f.Limit()) }
