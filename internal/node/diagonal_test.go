package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// TestDiagonal: 100 credentials, 100 subjects and 100 agents, over HTTP, NATS requests and NATS
// publishes. Each credential publishes as its own agent on its own subjects, and nothing else, and
// publisher is what the transport has authenticated. T1.
func TestDiagonal(t *testing.T) {
	const count = 100
	var rules strings.Builder
	rules.WriteString("identities:\n")
	g := &guarded{t: t, file: filepath.Join(t.TempDir(), "access.yaml"), tokens: map[string]string{}}
	var users []nkeys.KeyPair
	var keys, agents, batches []string
	for i := range count {
		pair, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		key, err := pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("c%d", i)
		g.tokens[id] = access.NewToken()
		users, keys, agents = append(users, pair), append(keys, key), append(agents, fmt.Sprintf("did:web:a%d", i))
		fmt.Fprintf(&rules, "  - {id: %s, tokens: [{name: t, sha256: %x}], nkeys: [%s], may: {publish: [%q]}}\n",
			id, access.HashToken(g.tokens[id]), key, agents[i])
	}
	g.tokens["all"] = access.NewToken()
	fmt.Fprintf(&rules, "  - {id: all, tokens: [{name: t, sha256: %x}], may: {read: all, export: true}}\n",
		access.HashToken(g.tokens["all"]))
	if err := os.WriteFile(g.file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if g.Node, err = Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
		Access: g.file,
	}); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	// batch has an event of each agent.
	batch := func(kind string, credential int) string {
		batches = batches[:0]
		for i, agent := range agents {
			batches = append(batches, fmt.Sprintf(`{"specversion":"1.0","id":"%s-%d-%d","source":%q,"type":"t"}`,
				kind, credential, i, agent))
		}
		return "[" + strings.Join(batches, ",") + "]"
	}
	taken := func(answer string) (list []int) {
		var out struct{ Receipts []struct{ Status string } }
		if err := json.Unmarshal([]byte(answer), &out); err != nil || len(out.Receipts) != count {
			t.Fatalf("%v: %.300s", err, answer)
		}
		for i, r := range out.Receipts {
			if r.Status == "stored" || r.Status == "sealed" {
				list = append(list, i)
			}
		}
		return list
	}
	passed := 0
	for c := range count {
		refused := make(chan error, 2*count)
		nc := connectUser(t, g.NATSURL(), users[c], keys[c], subject.AgentToken(agents[c]), refused)
		for s, agent := range agents {
			token := subject.AgentToken(agent)
			for _, to := range []string{subject.Events("default", token), subject.Submit("default", token)} {
				if s == c {
					continue
				}
				if err := nc.Publish(to, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2 * (count - 1) { // one for each subject
			select {
			case err := <-refused:
				if !errors.Is(err, nats.ErrPermissionViolation) {
					t.Fatal(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("credential %d publishes as others", c)
			}
		}
		own := subject.AgentToken(agents[c])
		for _, to := range []string{subject.Events("default", own), subject.Submit("default", own)} {
			kind := "publish"
			if strings.Contains(to, ".submit.") {
				kind = "request"
			}
			m, err := nc.Request(to, []byte(batch(kind, c)), 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if kind == "request" {
				if list := taken(string(m.Data)); len(list) != 1 || list[0] != c {
					t.Fatalf("credential %d by request as %v", c, list)
				}
			}
		}
		nc.Close()
		answer := g.postBatch(fmt.Sprintf("c%d", c), batch("http", c))
		if list := taken(answer); len(list) != 1 || list[0] != c {
			t.Fatalf("credential %d over HTTP as %v", c, list)
		}
		passed++
	}
	t.Logf("%d of %d credentials pass, each on the diagonal alone", passed, count)
	if err := g.pipeline.query.CaughtUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	logtest.Until(t, "all is sealed", func() bool {
		status, _ := g.ask("GET", fmt.Sprintf("/v1/entries/id/publish-%d-%[1]d", count-1), "all", "")
		return status == 200
	})
	for c, agent := range agents {
		for kind, want := range map[string]string{
			"publish": "subject:" + subject.AgentToken(agent),
			"request": access.NATSPublisher(subject.AgentToken(agent)),
			"http":    fmt.Sprintf("c%d", c),
		} {
			if kind == "publish" && ruleset.Newest < ruleset.Blinding {
				continue // entries of older rules do not say who published directly
			}
			_, body := g.ask("GET", fmt.Sprintf("/v1/entries/id/%s-%d-%d", kind, c, c), "all", "")
			if !strings.Contains(body, fmt.Sprintf(`"publisher":%q`, want)) {
				t.Fatalf("%s by credential %d: %s", kind, c, body)
			}
		}
		// the agent after it, which the credential is not
		path := fmt.Sprintf("/v1/entries/id/publish-%d-%d", c, (c+1)%count)
		if status, body := g.ask("GET", path, "all", ""); status == 200 && !strings.Contains(body, entry.TypeRejected) {
			t.Fatalf("credential %d has published as another: %s", c, body)
		}
	}
}

// connectUser connects as a user with an nkey.
func connectUser(t *testing.T, url string, pair nkeys.KeyPair, key, token string, refused chan<- error) *nats.Conn {
	t.Helper()
	var nc *nats.Conn
	logtest.Until(t, "NATS has read the users", func() bool {
		c, err := nats.Connect(url, nats.Nkey(key, pair.Sign), nats.CustomInboxPrefix(natsd.InboxOf(token)),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
		nc = c
		return err == nil
	})
	return nc
}

// postBatch sends a batch of events as an identity, and returns the answer.
func (g *guarded) postBatch(as, body string) string {
	g.t.Helper()
	status, answer := g.askAs("POST", "/v1/events?wait=stored", as, body, "application/cloudevents-batch+json")
	if status != 200 && status != 403 {
		g.t.Fatalf("%d %s", status, answer)
	}
	return answer
}
