package query

// MaxMemory is by how much reading grows the process at most, in bytes, if nothing else is said.
const MaxMemory = 256 << 20

// Memory returns Config.Memory for a process with a memory limit in bytes: a quarter of the limit,
// and at most MaxMemory. A limit of 0 means that the process has none.
func Memory(limit int64) int64 {
	if limit <= 0 {
		return MaxMemory
	}
	return min(max(limit/4, minMemory), MaxMemory)
}

// minMemory is the least that reading needs: a page, an export and an entry at the same time.
const minMemory = 64 << 20

// shares are the parts of the memory for reads, in bytes. As the garbage collector lets the heap
// grow to twice of what is in use, they are less than half of it together. The rest is for
// connections and their goroutines.
type shares struct {
	reads    int64 // requests in progress
	messages int   // cache of SEALED and PAYLOADS messages
	events   int   // each of the two caches of entries as streams send them
	tiles    int   // cache of tiles and bundles
}

func sharesOf(memory int64) shares {
	memory -= memory / 8
	return shares{
		reads: memory / 4, messages: int(memory / 8), events: int(memory / 32), tiles: int(memory / 32),
	}
}

// ReadBytes returns the memory, in bytes, that reads in progress have taken from their budget.
func (q *Query) ReadBytes() int64 {
	q.reads.mu.Lock()
	defer q.reads.mu.Unlock()
	return q.reads.used
}
