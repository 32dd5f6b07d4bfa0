package node

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
)

// TestRolesSink: the program sink works as its user, as docs/cluster.md says, also with a sink
// whose cursor is stored in CURSORS.
func TestRolesSink(t *testing.T) {
	dir, s := configuredServer(t)
	_, err := cluster.Apply(t.Context(), roleFlags(dir, s, cluster.RoleAdmin), cluster.StreamFlags{}, "default", 1, false)
	if err != nil {
		t.Fatal(err)
	}
	refused := &refusals{Handler: slog.DiscardHandler}
	flags := ServiceConfig{Plugins: withPlugins, Log: "default", Replicas: 1, Logger: slog.New(refused)}
	keys := filepath.Join(dir, "keys")
	flags.ConnFlags = roleFlags(dir, s, cluster.RoleSealer)
	serveForTest(t, &SealerService{
		ServiceConfig: flags, Keys: keys, State: filepath.Join(dir, "state"), StreamsExist: true,
		Metrics: logtest.FreeAddr(t),
	})
	key, file := filepath.Join(dir, "hmac.key"), filepath.Join(dir, "audit.jsonl")
	if err := os.WriteFile(key, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	flags.ConnFlags = roleFlags(dir, s, cluster.RoleSink)
	sinks := &SinkService{
		ServiceConfig: flags, Key: filepath.Join(keys, datadir.FilePublic), HTTP: logtest.FreeAddr(t),
		Sink: []string{"file://" + file + "?key_file=" + key, receiver.URL + "/?name=web"},
	}
	stop := serveForTest(t, sinks)
	waitReady(t, sinks.HTTP)
	stop()
	if text, err := os.ReadFile(file); err != nil || len(text) == 0 {
		t.Errorf("the file has %q, %v", text, err)
	}
	if len(refused.list) > 0 {
		t.Errorf("refused: %q", refused.list)
	}
}
