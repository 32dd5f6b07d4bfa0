package node

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// roots keeps every checkpoint that a log has shown anywhere: over HTTP, and in the file that its
// host keeps. There is one root for one size, whatever happens to the log.
type roots struct {
	*testing.T
	dir    string
	mu     sync.Mutex
	bySize map[uint64]entry.Hash
}

func newRoots(t *testing.T, dir string) *roots {
	return &roots{T: t, dir: dir, bySize: map[uint64]entry.Hash{}}
}

// saw takes a checkpoint down.
func (r *roots) saw(where string, note []byte) {
	keys, err := datadir.PublicKeys(r.dir)
	if err != nil {
		r.Errorf("%s: %v", where, err)
		return
	}
	cp, err := proof.OpenCheckpoint(note, keys...)
	if err != nil {
		r.Errorf("%s: %v", where, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if root, there := r.bySize[cp.Size]; there && root != cp.Root {
		r.Errorf("%s: two roots of size %d", where, cp.Size)
	}
	r.bySize[cp.Size] = cp.Root
}

// watch asks for checkpoints until ctx is done; when there is no answer, the log is being killed or started.
func (r *roots) watch(ctx context.Context, addr string) {
	for ctx.Err() == nil {
		if status, note := fetch(addr, "/checkpoint", nil); status == http.StatusOK {
			r.saw("served", note)
		}
		r.kept()
		time.Sleep(2 * time.Millisecond)
	}
}

// kept looks at the file that the host keeps.
func (r *roots) kept() {
	if note, err := os.ReadFile(filepath.Join(r.dir, datadir.FileMark)); err == nil {
		r.saw("kept", note)
	}
}

// check compares all that was seen with the tree of the log as it is in the end.
func (r *roots) check(entries []entry.Entry) {
	r.Helper()
	var tree merkle.Tree
	for _, e := range entries {
		tree.Append(entry.LeafHash(e.Leaf))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bySize) < 2 {
		r.Errorf("only %d checkpoints were seen", len(r.bySize))
	}
	for size, root := range r.bySize {
		if now, err := tree.Root(size); err != nil || now != root {
			r.Errorf("a checkpoint of size %d was shown, and the log has another root of it: %v", size, err)
		}
	}
	r.Logf("%d checkpoints seen", len(r.bySize))
}
