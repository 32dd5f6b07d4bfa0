package node

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
)

// TestSinkToALog: another log is no receiver of replays. It answers 200 with a refusal of each event, which the
// sink takes for what it is; neither log grows by it, and the sink's own log as a receiver is no different.
func TestSinkToALog(t *testing.T) {
	other := upWith(t)
	own := logtest.FreeAddr(t)
	n, err := Up(t.Context(),
		UpConfig{Plugins: withPlugins, Data: t.TempDir() + "/d", HTTP: own, NATS: "127.0.0.1:0", Sinks: []string{
			other.URL() + "/v1/events?name=other", "http://" + own + "/v1/events?name=own", "http://" + own + "/?name=front",
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	record(t, n, 0, 5)
	for _, name := range []string{"other", "own", "front"} {
		awaitSink(t, "the refusal by "+name, func() bool {
			s := sinkStatus(n, name)
			return s.Err != nil && s.Size == 0 && s.Counts["failures"] > 2
		})
		if s := sinkStatus(n, name); name != "front" && !strings.Contains(s.Err.Error(), "refused") {
			t.Errorf("%s: %v", name, s.Err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	if a, b := n.pipeline.size(), other.pipeline.size(); a != 6 || b != 1 {
		t.Fatalf("the logs grew to %d and %d", a, b)
	}
}

// TestNATSSinkRefused: a stream that refuses one message for its size stops the sink there: what is
// before it is stored, what is behind it waits, and nothing is stored twice.
func TestNATSSinkRefused(t *testing.T) {
	s := logtest.Server(t, natsd.Config{Log: "other", Password: "secret", Relaxed: true})
	_, js := logtest.Connect(t, s)
	stream := jetstream.StreamConfig{
		Name: "COPY", Subjects: []string{"copy"}, MaxMsgSize: 20_000, Duplicates: 100 * time.Millisecond,
	}
	copies, err := js.CreateStream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	n := upWith(t, strings.Replace(s.ClientURL(), "nats://", "nats://sealstream:secret@", 1)+"/copy?name=copy")
	record(t, n, 0, 3)
	body := `{"specversion":"1.0","id":"large","source":"did:web:a","type":"t","data":"` + strings.Repeat("x", 30_000) +
		`"}`
	res, err := http.Post(n.URL()+"/v1/events?wait=sealed", "application/cloudevents+json", strings.NewReader(body))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	res.Body.Close()
	record(t, n, 3, 10)
	awaitSink(t, "the refusal", func() bool {
		s := sinkStatus(n, "copy")
		return s.Err != nil && strings.Contains(s.Err.Error(), "index 4") && s.Counts["failures"] > 2
	})
	info, err := copies.Info(t.Context())
	// the first attempt may have sent some of those behind
	if err != nil || info.State.Msgs < 4 || info.State.Msgs > 10 || sinkStatus(n, "copy").Size != 4 {
		t.Fatalf("%d messages, cursor %d, %v", info.State.Msgs, sinkStatus(n, "copy").Size, err)
	}
	stream.MaxMsgSize = -1
	if _, err := js.UpdateStream(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	awaitSink(t, "the rest", func() bool {
		return sinkStatus(n, "copy").Size == 12 && sinkStatus(n, "copy").Err == nil
	})
}
