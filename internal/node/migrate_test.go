package node

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/migrate"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestMigrate moves an embedded log onto a server with users: the same entries under the same root,
// the old checkpoint consistent, repeats recognised, and sealing goes on.
func TestMigrate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Archive: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	send := func(addr, want string) {
		t.Helper()
		for group := range slices.Chunk(airline(), 256) {
			list, err := receipts(addr, "sealed", group...)
			if err != nil || list[0]["status"] != want {
				t.Fatalf("want %s: %v, %v", want, list[0], err)
			}
		}
	}
	send(n.http.Addr().String(), "sealed")
	target, s := configuredServer(t)
	keys, state := filepath.Join(target, "moved"), filepath.Join(target, "state")
	cfg := migrate.Config{From: dir, To: roleFlags(target, s, cluster.RoleAdmin), Replicas: 1, Keys: keys, State: state}
	if _, err := migrate.Run(t.Context(), cfg); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("of a log that runs: %v", err)
	}
	await(t, n)
	before, _ := exported(t, n.http.Addr().String(), n.Key())
	_, checkpoint := fetch(n.http.Addr().String(), "/checkpoint", nil)
	key := n.Key()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	// Streams that are made already are no obstacle, and neither is what a call that was cut off has moved.
	if _, err := cluster.Apply(t.Context(), cfg.To, cluster.StreamFlags{}, "default", 1, false); err != nil {
		t.Fatal(err)
	}
	broken := cfg
	broken.Keys = filepath.Join(dir, "log.pub") // a file: it fails when all streams are there
	if _, err := migrate.Run(t.Context(), broken); err == nil {
		t.Fatal("keys were copied into a file")
	}
	r, err := migrate.Run(t.Context(), cfg)
	if err != nil || r.Size != uint64(len(before)) {
		t.Fatalf("size %d, %v", r.Size, err)
	}
	known, err := proof.OpenCheckpoint(checkpoint, key)
	if err != nil {
		t.Fatal(err)
	}
	if mark, err := os.ReadFile(filepath.Join(state, datadir.FileMark)); err != nil || len(mark) == 0 {
		t.Fatalf("the mark: %v", err)
	}
	flags := func(role string) ServiceConfig {
		return ServiceConfig{Plugins: withPlugins, Log: "default", ConnFlags: roleFlags(target, s, role), Replicas: 1}
	}
	public := filepath.Join(keys, datadir.FilePublic)
	q := &QueryService{ServiceConfig: flags(cluster.RoleQuery), HTTP: logtest.FreeAddr(t), Key: public}
	in := &IngestService{ServiceConfig: flags(cluster.RoleIngest), HTTP: logtest.FreeAddr(t), Key: public}
	serveForTest(t,
		&SealerService{ServiceConfig: flags(cluster.RoleSealer), Keys: keys, State: state, StreamsExist: true})
	serveForTest(t, q)
	serveForTest(t, in)
	waitReady(t, q.HTTP)
	waitReady(t, in.HTTP)
	send(in.HTTP, "duplicate")
	list, err := receipts(in.HTTP, "sealed",
		[]byte(`{"specversion":"1.0","id":"new","source":"did:example:new","type":"x"}`))
	if err != nil || list[0]["status"] != "sealed" {
		t.Fatalf("%v, %v", list, err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if status, _ := fetch(q.HTTP, "/v1/entries/id/new", nil); status == http.StatusOK {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("the new entry is not shown")
		}
	}
	after, _ := exported(t, q.HTTP, key)
	for i, e := range before {
		if after[i].EntryHash != e.EntryHash {
			t.Fatalf("index %d is another entry", i)
		}
	}
	if _, body := fetch(q.HTTP, "/v1/export", nil); true {
		if _, err := auditKnown(body, key, known); err != nil {
			t.Errorf("with the old checkpoint: %v", err)
		}
	}
	if _, err := migrate.Run(t.Context(), cfg); !errors.Is(err, migrate.ErrOccupied) {
		t.Errorf("onto a log that has gone on: %v", err)
	}
}

// auditKnown audits an export, which must continue a checkpoint seen before.
func auditKnown(text []byte, key string, known proof.Checkpoint) (audit.Report, error) {
	return audit.Export(audit.Config{Keys: []string{key}, Known: []proof.Checkpoint{known}},
		func(yield func([]byte, error) bool) {
			for line := range bytes.Lines(text) {
				if !yield(bytes.TrimSuffix(line, []byte("\n")), nil) {
					return
				}
			}
		})
}
