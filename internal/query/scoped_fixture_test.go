package query_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// callerWith is a caller with some rights, as one version of the rules judges it.
func callerWith(t testing.TB, g access.Grants) access.Caller {
	t.Helper()
	token := sha256.Sum256([]byte("a token"))
	v, err := access.Compile(access.Rules{Identities: []access.Identity{{
		ID: "caller", Tokens: []access.TokenHash{{Name: "t", Hash: token}}, Grants: g,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.Judge(access.Credential{Kind: access.Token, Token: token}, t0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// scoped is a log whose query service limits each answer to what the caller sees.
type scoped struct {
	*fixture
	handler http.Handler
	all     []entry.Entry
	hashes  map[string]uint64 // indexes of entries by their hashes
}

// newScoped seals messages of events and serves them.
func newScoped(t *testing.T, signer *proof.Signer, messages [][][]byte) *scoped {
	t.Helper()
	l := logtest.New(t, store.NewMemory(logtest.Name), func(c *sealer.Config) { c.Signer = signer })
	l.Run("sealer", l.Sealer().Run)
	f := &fixture{T: t, log: l.Store, signer: signer, key: l.Key, secret: logtest.Secret, size: 1}
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}, Scoped: true})
	f.await()
	for _, events := range messages { // a batch each, so that two logs have the same batches
		f.publish(events...)
		f.await()
	}
	s := &scoped{fixture: f, handler: f.q.Handler(), all: f.scan(), hashes: map[string]uint64{}}
	for i := range s.all {
		s.hashes[s.all[i].EntryHash.String()] = s.all[i].Index
	}
	return s
}

// as answers a request of a caller.
func (s *scoped) as(c access.Caller, path string, header ...string) *httptest.ResponseRecorder {
	s.Helper()
	r := httptest.NewRequestWithContext(access.With(s.Context(), c), "GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// visible is the model of what a reader of some agents sees (SPEC-rules4 7).
func visible(e *entry.Entry, patterns []string) bool {
	switch e.EventType {
	case "sealstream.config", "sealstream.epoch", "sealstream.gap":
		return len(patterns) > 0
	case "sealstream.equivocation":
	default:
		if strings.HasPrefix(e.EventType, "sealstream.") {
			return false
		}
	}
	for _, p := range patterns {
		if p == e.AgentDID || strings.HasSuffix(p, "*") && strings.HasPrefix(e.AgentDID, p[:len(p)-1]) {
			return true
		}
	}
	return false
}

// The agents of twin logs. Nobody reads what dark agents do.
var (
	lightAgents = []string{
		"did:web:a.example", "did:web:b.example", "did:web:team/1", "did:web:team/2", "did:web:team/", "urn:äöü:😀", "did:web:team",
	}
	darkAgents = []string{"did:web:dark", "did:web:tea", "did:web:a.example2", "did:web:a.exampl", "urn:dark:%2F?"}
	anyAgents  = append(append([]string{}, lightAgents...), darkAgents...)
)

// values that events of all agents share, so that whoever sees one could guess at others
var (
	sharedTypes = []string{
		"ai.agentmesh.tool.invoked", "ai.agentmesh.policy.violation", "com.example.x", "com.example.y",
	}
	sharedResources = []string{"/crm/1", "/crm/2", "/crm/*", "/x"}
)

// twins makes the messages of two logs. They are equal but for the entries that no scoped reader
// sees: these differ in everything that can differ, and are at the same indexes.
func twins(r *rand.Rand, n int) (one, two [][][]byte) {
	a, b := darkness{r: rand.New(rand.NewPCG(11, 1))}, darkness{r: rand.New(rand.NewPCG(11, 2))}
	for i := 0; i < n; {
		if i > 200 && r.IntN(3) == 0 { // a duplicate comes at the end of its message, so it has its own
			one, two = append(one, [][]byte{a.single()}), append(two, [][]byte{b.single()})
			i++
		}
		var m, w [][]byte
		for range 1 + r.IntN(9) {
			if i > 200 && r.IntN(3) == 0 {
				m, w = append(m, a.next()), append(w, b.next())
			} else {
				e := lightEvent(r, i)
				m, w = append(m, e), append(w, e)
			}
			i++
		}
		one, two = append(one, m), append(two, w)
	}
	return one, two
}

func sharedEvent(r *rand.Rand, id, agent string) map[string]any {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	m := map[string]any{
		"id": id, "source": agent, "type": pick(sharedTypes...),
		"time": fmt.Sprintf("2023-11-%02dT10:00:%02dZ", 1+r.IntN(28), r.IntN(60)),
	}
	for name, value := range map[string]string{
		"subject": pick(sharedResources...), "action": pick("allow", "deny", "audit"), "outcome": pick("success", "failure"),
		"matchedrule": pick("r1", "r2"), "targetdid": pick(anyAgents...), "traceid": fmt.Sprint("t", r.IntN(40)),
		"sessionid": fmt.Sprint("s", r.IntN(20)),
	} {
		if r.IntN(4) > 0 {
			m[name] = value
		}
	}
	if r.IntN(3) > 0 {
		m["data"] = map[string]any{"n": r.IntN(1000)}
	}
	return m
}

func lightEvent(r *rand.Rand, i int) []byte {
	id := fmt.Sprint("id-", i)
	if r.IntN(5) == 0 {
		id = fmt.Sprint("id-", r.IntN(60)) // an id that others have, too; some are equivocations
	}
	m := sharedEvent(r, id, lightAgents[r.IntN(len(lightAgents))])
	return event(m["id"].(string), m)
}

// darkness makes events of dark agents, and what becomes an entry that needs the right to read all.
type darkness struct {
	r    *rand.Rand
	n    int
	last []byte
}

// single is the only event of a message, which may be a duplicate.
func (d *darkness) single() []byte {
	if d.last != nil && d.r.IntN(3) == 0 {
		return d.last
	}
	return d.next()
}

func (d *darkness) next() []byte {
	d.n++
	if d.r.IntN(8) == 0 {
		return []byte(fmt.Sprintf(`{"specversion":"1.0","id":"bad-%d","secret":"dark-%d"}`, d.n, d.r.IntN(1000))) // rejected
	}
	id := fmt.Sprint("id-", d.r.IntN(80))
	if d.r.IntN(2) == 0 {
		id = fmt.Sprint("dark-id-", d.r.IntN(80))
	}
	m := sharedEvent(d.r, id, darkAgents[d.r.IntN(len(darkAgents))])
	m["type"] = []string{sharedTypes[0], "com.example.dark"}[d.r.IntN(2)]
	m["darksecret"] = fmt.Sprint("dark-", d.r.IntN(1e6))
	d.last = event(id, m)
	return d.last
}

var now = regexp.MustCompile(`20(2[5-9]|[3-9]\d)-\d\d-\d\dT[0-9:.]+(Z|\+00:00)`)

// plain is an answer without what the two logs cannot have in common: times of receipt, roots and
// checkpoints, and the hashes of proofs.
func (s *scoped) plain(path, body string) string {
	cp, err := s.q.Checkpoint()
	if err != nil {
		s.Fatal(err)
	}
	note, err := json.Marshal(string(cp.Note))
	if err != nil {
		s.Fatal(err)
	}
	body = strings.ReplaceAll(body, string(note), "NOTE")
	body = strings.ReplaceAll(body, cp.Root.String(), "ROOT")
	body = anyHash.ReplaceAllStringFunc(body, func(h string) string {
		if x, there := s.hashes[h]; there {
			return fmt.Sprint("HASH OF ", x)
		}
		return h
	})
	if strings.HasPrefix(path, "/tile/") {
		return fmt.Sprint(len(body), " bytes")
	}
	if strings.Contains(path, "proof") || strings.Contains(path, "consistency") {
		body = anyNote.ReplaceAllString(anyHash.ReplaceAllString(body, "HASH"), "NOTE")
	}
	return now.ReplaceAllString(receivedRange.ReplaceAllString(body, ""), "NOW")
}

var receivedRange = regexp.MustCompile(`"received":{[^}]*}`)

// difference returns the first place at which two texts differ, with some text around it.
func difference(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	part := func(s string) string { return s[max(0, n-200):min(len(s), n+200)] }
	return part(a) + "\n\n" + part(b)
}

var anyNote = regexp.MustCompile(`"checkpoint":"[^"]*"`)

var anyHash = regexp.MustCompile(`[0-9a-f]{64}`)

// indexesIn returns the indexes of the entries that an answer shows, in its order.
func indexesIn(body []byte) (list []uint64) {
	var v struct {
		Index   *uint64
		Entries []struct {
			Index uint64
			Leaf  string
		}
		Tree []struct {
			Entries    []uint64
			Delegation *uint64
		}
		First, Last *uint64
	}
	if json.Unmarshal(body, &v) != nil {
		for _, m := range lineIndex.FindAllSubmatch(body, -1) {
			n, _ := strconv.ParseUint(string(append(m[1], m[2]...)), 10, 64)
			list = append(list, n)
		}
		return list
	}
	for _, x := range []*uint64{v.Index, v.First, v.Last} {
		if x != nil {
			list = append(list, *x)
		}
	}
	for _, e := range v.Entries {
		if m := leafIndex.FindStringSubmatch(e.Leaf); m != nil {
			e.Index, _ = strconv.ParseUint(m[1], 10, 64)
		}
		list = append(list, e.Index)
	}
	for _, b := range v.Tree {
		if list = append(list, b.Entries...); b.Delegation != nil {
			list = append(list, *b.Delegation)
		}
	}
	return list
}

var leafIndex = regexp.MustCompile(`,"index":(\d+),"input_epoch"`)

// lineIndex finds the indexes of entries in CSV and CloudEvents.
var lineIndex = regexp.MustCompile(`(?m)^(\d+),|"sealindex":"?(\d+)`)
