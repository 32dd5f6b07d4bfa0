package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/internal/datadir"
)

// TestDistribute: each role has its own seed and no other's, the signing key is the sealer's alone and
// stays what it became, and a second call changes nothing.
func TestDistribute(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Out: filepath.Join(dir, "all"), Nodes: []string{"a", "b", "c"}}
	out := filepath.Join(dir, "apart")
	for range 2 {
		if err := WriteConfig(cfg); err != nil {
			t.Fatal(err)
		}
		if err := Distribute(cfg.Out, out, "default"); err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{NATSFolder: {"nats.conf", "routes.conf", "users.conf"}}
		for _, r := range Roles("default") {
			want[r.Name] = []string{"log.pub", "nats.nk"}
		}
		want[RoleSealer] = []string{"log.key", "log.pub", "log.secret", "nats.nk"}
		seeds := map[string]bool{}
		for role, files := range want {
			list, err := os.ReadDir(filepath.Join(out, role))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range list {
				names = append(names, e.Name())
				info, err := e.Info()
				if err != nil {
					t.Fatal(err)
				}
				if secret := slices.Contains([]string{"nats.nk", "log.key", "log.secret", "routes.conf"},
					e.Name()); secret && info.Mode().Perm() != 0o600 {
					t.Errorf("%s/%s has mode %v", role, e.Name(), info.Mode())
				}
			}
			if !slices.Equal(names, files) {
				t.Errorf("%s has %v, want %v", role, names, files)
			}
			if role != NATSFolder {
				seed, err := os.ReadFile(filepath.Join(out, role, "nats.nk"))
				if err != nil || seeds[string(seed)] {
					t.Errorf("%s: no seed of its own: %v", role, err)
				}
				seeds[string(seed)] = true
			}
		}
		if err := os.WriteFile(filepath.Join(out, RoleSealer, datadir.FileKey), []byte("rotated"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(out, RoleSealer, datadir.FileKey)); err != nil ||
		string(text) != "rotated" {
		t.Errorf("the signing key is %q, %v", text, err)
	}
}
