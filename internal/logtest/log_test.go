package logtest_test

import (
	"testing"

	"github.com/sealstream/sealstream/internal/logtest"
)

// TestLog: the fixture is the same in memory and on a server.
func TestLog(t *testing.T) {
	for name, l := range map[string]*logtest.Fixture{
		"memory": logtest.Memory(t), "NATS": logtest.New(t, logtest.OnNATS(t), nil),
	} {
		l.Publish(3)
		if size := l.Seal(); size != 4 {
			t.Errorf("%s: %d entries, want 4", name, size)
		}
	}
}
