package node

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
)

// TestDirectoryAttacked deletes, replaces, rolls back and copies files and folders in the data directory of
// a running log at random, and starts a second log on it, and a third one later. Whatever is refused, lost
// or stopped: no index of a log is ever acknowledged with two hashes. SEALSTREAM_ATTACKS is the number of
// attacks, SEALSTREAM_SEED the seed.
func TestDirectoryAttacked(t *testing.T) {
	rounds, seed := 4, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("SEALSTREAM_ATTACKS")); err == nil {
		rounds = n
	}
	if n, err := strconv.ParseUint(os.Getenv("SEALSTREAM_SEED"), 10, 64); err == nil {
		seed = n
	}
	attackers := min(4, (rounds+3)/4)
	for i := range attackers {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			attackDirectory(t, (rounds+attackers-1)/attackers, seed+uint64(i))
		})
	}
}

func attackDirectory(t *testing.T, rounds int, seed uint64) {
	a := &attack{t: t, random: rand.New(rand.NewPCG(seed, seed)), sealed: map[string]string{}, counts: map[string]int{}}
	a.fresh()
	for a.round = range rounds {
		a.one()
	}
	t.Logf("%d attacks, %d acknowledged entries: %v", rounds, len(a.sealed), a.counts)
	if len(a.sealed) < rounds {
		t.Error("the attacks left nothing running, so they showed nothing")
	}
}

type attack struct {
	t      *testing.T
	random *rand.Rand
	dir    string
	older  string            // a copy of dir from an earlier round
	sealed map[string]string // hash by origin and index
	counts map[string]int    // how often what happened
	round  int
	events int
}

// fresh begins a log in a directory of its own.
func (a *attack) fresh() {
	a.dir = filepath.Join(a.t.TempDir(), "d")
	a.older = ""
}

// one is one round: a log runs, is attacked, meets a second one, and is started again.
func (a *attack) one() {
	first, err := upOn(a.t.Context(), a.dir)
	if err != nil { // an attack before has made it refuse, which is one right answer
		a.counts["start refused"]++
		a.fresh()
		if first, err = upOn(a.t.Context(), a.dir); err != nil {
			a.t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(a.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- first.Wait(ctx) }()
	a.seal(first, 2)
	if a.older == "" || a.random.IntN(3) == 0 {
		a.older = filepath.Join(a.t.TempDir(), "older")
		a.ignore(copyKept(a.dir, a.older))
		a.seal(first, 2)
	}
	a.counts[a.harm()]++
	a.seal(first, 1)
	second, err := upOn(a.t.Context(), a.dir)
	for range 2 {
		a.seal(first, 1)
		if err == nil {
			a.seal(second, 1)
		}
	}
	if err == nil {
		a.counts["second started"]++
		a.ignore(second.Close())
	}
	select {
	case err := <-ended:
		a.counts["first ended by itself"]++
		if err == nil {
			a.t.Errorf("round %d: the first log ended without a reason", a.round)
		}
	case <-time.After(200 * time.Millisecond):
		stop()
		<-ended
	}
	stop()
}

// seal records events and notes what they were sealed as.
func (a *attack) seal(n *Node, events int) {
	for range events {
		if n.pipeline.accepting() != nil {
			return
		}
		a.events++
		index, hash, err := sealOne(n, fmt.Sprintf("%d-%d", a.round, a.events))
		if err != nil {
			a.counts["not acknowledged"]++
			return
		}
		key := fmt.Sprintf("%s/%d", n.Origin(), index)
		if old, ok := a.sealed[key]; ok && old != hash {
			a.t.Errorf("round %d: two acknowledged entries of index %s", a.round, key)
		}
		a.sealed[key] = hash
	}
}

// harm does one random thing to the directory.
func (a *attack) harm() string {
	var paths []string
	filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			paths = append(paths, path)
		}
		return nil
	})
	if len(paths) == 0 {
		return "nothing left"
	}
	path := paths[a.random.IntN(len(paths))]
	rel, err := filepath.Rel(a.dir, path)
	if err != nil {
		a.t.Fatal(err)
	}
	switch a.random.IntN(6) {
	case 0:
		a.ignore(os.RemoveAll(path))
		return "deleted"
	case 1:
		a.ignore(replaceDir(path))
		return "replaced"
	case 2: // the state of an earlier round
		// that is what only others can see
		if _, err := os.Stat(filepath.Join(a.older, rel)); err != nil || rel == "." {
			return "nothing older"
		}
		a.ignore(os.Rename(path, filepath.Join(a.t.TempDir(), "away")))
		a.ignore(copyKept(filepath.Join(a.older, rel), path))
		return "rolled back"
	case 3:
		a.ignore(copyKept(path, path+".copy"))
		return "copied beside"
	default: // lock, mark and where it ran are what a second start would look at
		name := []string{"lock", "lock", datadir.FileMark, "home", "format"}[a.random.IntN(5)]
		a.ignore(os.Remove(filepath.Join(a.dir, name)))
		return "deleted " + name
	}
}

// ignore passes over what fails because an earlier attack has left nothing to do it to.
func (a *attack) ignore(err error) {
	if err != nil {
		a.counts["impossible"]++
	}
}
