package streams

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// The tests against a server, with the golden files in testdata, stand in internal/store/natsstore.

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		EventsName("a-1"):   "EVENTS_a-1",
		SealedName("a-1"):   "SEALED_a-1",
		PayloadsName("a-1"): "PAYLOADS_a-1",
		AlertsName("a-1"):   "ALERTS_a-1",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestLogsAreApart: no two logs, and no two streams of one, take the same subjects: its name in
// every subject is enough.
func TestLogsAreApart(t *testing.T) {
	owner := map[string]string{}
	for _, log := range []string{"default", "default-2", "meta"} {
		list, _ := Config{Log: log}.all()
		for _, s := range list {
			for _, subject := range s.Subjects {
				if other, taken := owner[subject]; taken {
					t.Errorf("%s of %s is %s's too", subject, s.Name, other)
				}
				owner[subject] = s.Name
			}
		}
	}
	if len(owner) != 3*(4+1+2+1) {
		t.Errorf("%d subjects: %v", len(owner), owner)
	}
}

func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		cfg                      Config
		events, sealed, payloads int64
		replicas                 int
	}{
		{Config{Log: "x"}, 2 << 30, 16 << 30, 32 << 30, 1},
		{Config{Log: "x", Replicas: 3, EventsMaxBytes: 1, SealedMaxBytes: 2, PayloadsMaxBytes: 3}, 1, 2, 3, 3},
	} {
		list, buckets := c.cfg.all()
		for i, want := range []int64{c.events, c.sealed, c.payloads} {
			if list[i].MaxBytes != want {
				t.Errorf("%s has %d bytes, want %d", list[i].Name, list[i].MaxBytes, want)
			}
		}
		for _, s := range list {
			if s.Replicas != c.replicas {
				t.Errorf("%s has %d replicas, want %d", s.Name, s.Replicas, c.replicas)
			}
		}
		for _, b := range buckets {
			if b.Replicas != c.replicas {
				t.Errorf("%s has %d replicas, want %d", b.Bucket, b.Replicas, c.replicas)
			}
		}
	}
}

func TestCompareShows(t *testing.T) {
	want := Config{Log: "x"}.sealed()
	have := want
	have.Subjects = []string{}
	have.Mirror = &jetstream.StreamSource{Name: "other"}
	have.Description = "another description is no drift"
	got := compare(want, have, compared)
	if len(got) != 2 || got[0] != "Subjects of SEALED_x is [], not [audit.x.sealed]" ||
		got[1][:28] != "Mirror of SEALED_x is {Name:" {
		t.Errorf("%q", got)
	}
}
