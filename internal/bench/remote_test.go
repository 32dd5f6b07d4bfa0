package bench

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
)

// TestCluster measures a server that is somebody else's, and leaves no stream and no key of its own there.
func TestCluster(t *testing.T) {
	s := logtest.Server(t, natsd.Config{Relaxed: true})
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	r, err := Cluster(t.Context(), nc, 1, 10, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if r.RawAsync <= 0 || r.RawOneByOne <= 0 || r.Sealed <= 0 || r.RoundTripMS <= 0 || len(r.Ingest) != len(producers) {
		t.Errorf("%+v", r)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for info := range js.ListStreams(t.Context()).Info() {
		if name := info.Config.Name; name[:3] != "KV_" && name[:4] != "OBJ_" || info.State.Msgs > 0 {
			t.Errorf("%s is left, with %d messages", name, info.State.Msgs)
		}
	}
}
