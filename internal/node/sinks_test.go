package node

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/settings"
	filesink "github.com/sealstream/sealstream/internal/sinks/file"
	"github.com/sealstream/sealstream/pkg/sink"
)

// upWith starts a log with sinks, and a broker that belongs to somebody else.
func upWith(t *testing.T, sinks ...string) *Node {
	t.Helper()
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
		Sinks: sinks,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func record(t *testing.T, n *Node, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		body := fmt.Sprintf(`{"specversion":"1.0","id":"e%d","source":"did:web:a",`+
			`"type":"ai.agentmesh.tool.invoked","data":{"n":%d}}`, i, i)
		res, err := http.Post(n.URL()+"/v1/events?wait=sealed", "application/cloudevents+json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatal(res.Status)
		}
	}
}

func sinkStatus(n *Node, name string) health.FollowerState {
	for _, f := range n.pipeline.followers {
		if f.Name == "sink-"+name {
			return f.Look()
		}
	}
	return health.FollowerState{Size: 1 << 60}
}

func awaitSink(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

// TestSinks: a log writes to a file and onto NATS; the NATS of the sink is away for a while, which
// health and metrics tell, and sealing goes on.
func TestSinks(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("k"), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := natsd.Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0", Log: "other", Password: "secret", Relaxed: true}
	s, err := natsd.Start(t.Context(), broker)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	broker.Addr = at.Host
	connect := func() jetstream.JetStream {
		_, js := logtest.Connect(t, s)
		return js
	}
	js := connect()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "COPY", Subjects: []string{"copy"},
	}); err != nil {
		t.Fatal(err)
	}
	nats := fmt.Sprintf("nats://sealstream:secret@%s/copy?name=copy", at.Host)
	n := upWith(t, "file://"+dir+"/audit.jsonl?name=trail&key_file="+key, nats)
	record(t, n, 0, 5)
	awaitSink(t, "both sinks", func() bool {
		return sinkStatus(n, "trail").Size == 6 && sinkStatus(n, "copy").Size == 6
	})

	s.Shutdown()
	record(t, n, 5, 10)
	awaitSink(t, "the file, and trouble of the other", func() bool {
		return sinkStatus(n, "trail").Size == 11 && sinkStatus(n, "copy").Err != nil
	})
	status, body := fetch(strings.TrimPrefix(n.URL(), "http://"), "/readyz", nil)
	if status != http.StatusOK || !strings.Contains(string(body), `"sink-copy":{"entries":6,"lag":5,`) {
		t.Fatalf("/readyz: %d %s", status, body)
	}
	_, body = fetch(strings.TrimPrefix(n.URL(), "http://"), "/metrics", nil)
	for _, want := range []string{
		`sealstream_follower_ok{follower="sink-copy",log="default"} 0`,
		`sealstream_follower_lag_entries{follower="sink-copy",log="default"} 5`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
	if s, err = natsd.Start(t.Context(), broker); err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	awaitSink(t, "the sink that was away", func() bool {
		return sinkStatus(n, "copy").Size == 11 && sinkStatus(n, "copy").Err == nil
	})
	var got []string
	stream, err := connect().Stream(t.Context(), "COPY")
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= info.State.LastSeq; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(m.Data), `"sealindex":"`)
		index, _, _ := strings.Cut(after, `"`)
		got = append(got, index)
	}
	if want := strings.Fields("0 1 2 3 4 5 6 7 8 9 10"); !slices.Equal(got, want) {
		t.Fatalf("on NATS stand indexes %v", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	k, err := filesink.ReadKey(key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := filesink.Verify(t.Context(), []string{dir}, filesink.Ring{k})
	if err != nil || !r.Valid || r.Entries != 11 {
		t.Fatalf("%+v %v %v", r, r.Problem, err)
	}
}

// TestSinkService: the service that stands alone writes what is sealed, and says how it fares.
func TestSinkService(t *testing.T) {
	dir := t.TempDir()
	key, pub := filepath.Join(dir, "key"), filepath.Join(dir, "log.pub")
	n := upWith(t)
	for path, text := range map[string]string{key: "k", pub: n.Key()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	record(t, n, 0, 3)
	specs, err := readSinks([]string{"file://" + dir + "/audit.jsonl?key_file=" + key}, nil, n.cfg.Logger)
	if err != nil || len(specs) != 1 {
		t.Fatal(err)
	}
	p := newProcess(t.Context(), processConfig{log: n.pipeline.streams, keys: []string{n.Key()}, logger: n.cfg.Logger})
	defer p.stop()
	if err := p.addSinks(specs, true); err != nil {
		t.Fatal(err)
	}
	if err := p.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	face := httpapi.Face{Addr: "127.0.0.1:0"}
	l, err := face.Listen()
	if err != nil {
		t.Fatal(err)
	}
	p.serve(l, face, p.handler(p.servicePages(false)))
	awaitSink(t, "the service", func() bool {
		status, body := fetch(l.Addr().String(), "/readyz", nil)
		return status == http.StatusOK && strings.Contains(string(body), `"entries":4,"lag":0,"state":"ready"`)
	})
}

func TestReadSinks(t *testing.T) {
	for _, urls := range [][]string{
		{"ftp://x/"}, {"stdout:", "stdout:"}, {"stdout:?name=a", "http://h/?name=a"}, {"nats://h/"}, {"nats://h/a.*"}, {"nats:///a"}, {"nats://h/audit.x"}, {"http:///x"},
		{"nats://h/a?ack=maybe"}, {"stdout:?x=1"}, {"stdout:/x"},
	} {
		if _, err := readSinks(urls, nil, nil); !errors.Is(err, settings.ErrInvalid) {
			t.Errorf("%v: %v", urls, err)
		}
	}
	own := sink.Schemes{"table": func(*url.URL, *sink.Params) (sink.Open, error) { return nil, nil }}
	if _, err := readSinks([]string{"table:", "stdout:"}, own, nil); err != nil {
		t.Errorf("a sink of another scheme: %v", err)
	}
	list, err := readSinks([]string{"stdout:", "nats://h:1/a.b", "https://h/x?y=1&name=siem",
		"postgres://u:p@h/d?name=pg"}, withPlugins.Schemes, nil)
	if err != nil || len(list) != 4 || list[2].Name != "siem" {
		t.Fatal(list, err)
	}
}
