package node

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/logtest"
)

// pageOf asks a health page of a node.
func pageOf(t *testing.T, n *Node, path string) (status int, page healthPage) {
	t.Helper()
	status, body := fetch(n.http.Addr().String(), path, nil)
	page.body = string(body)
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatalf("%s: %s: %v", path, body, err)
	}
	return status, page
}

type healthPage struct {
	Detail      string
	Write, Read string
	Conditions  []struct{ Name, State, Text string }

	body string
}

func (p healthPage) state(name string) string {
	for _, c := range p.Conditions {
		if c.Name == name {
			return c.State
		}
	}
	return ""
}

// TestConditions: what is on the board shows on the pages and as a metric; how bad it is decides which page is red.
func TestConditions(t *testing.T) {
	n := upForTest(t)
	await(t, n)
	logtest.Until(t, "reads are ready", func() bool {
		_, page := pageOf(t, n, "/readyz/read")
		return page.Read == "ready"
	})
	for _, c := range []struct {
		state          health.State
		ready, healthy int
	}{
		{health.Warning, 200, 200}, {health.Urgent, 200, 200}, {health.Failing, 503, 200}, {health.Dead, 503, 503}, {health.OK, 200, 200},
	} {
		n.board.Set("cellar", c.state, "water comes in")
		status, page := pageOf(t, n, "/readyz")
		if status != c.ready || page.state("cellar") != c.state.String() || page.Read != "ready" ||
			(page.Write == "ready") != (c.ready == 200) {
			t.Errorf("%s: /readyz is %d %s", c.state, status, page.body)
		}
		if status, _ := pageOf(t, n, "/readyz/write"); status != c.ready {
			t.Errorf("%s: /readyz/write is %d", c.state, status)
		}
		if status, page := pageOf(t, n, "/readyz/read"); status != http.StatusOK || page.Read != "ready" {
			t.Errorf("%s: /readyz/read is %d %s", c.state, status, page.body)
		}
		if c.ready != http.StatusOK && page.Detail != "cellar: water comes in" {
			t.Errorf("%s: /readyz says %s", c.state, page.body)
		}
		if status, page := pageOf(t, n, "/healthz"); status != c.healthy || page.state("cellar") != c.state.String() {
			t.Errorf("%s: /healthz is %d %s", c.state, status, page.body)
		}
		expect(t, n.http.Addr().String(), map[string]float64{`sealstream_condition{name="cellar"}`: float64(c.state)})
	}
}
