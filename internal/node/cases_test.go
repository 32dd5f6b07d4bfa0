package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

func sha(parts ...[]byte) entry.Hash { return sha256.Sum256(bytes.Join(parts, nil)) }

// TestCasesOfTheToolkit has the numbered cases that a log of the toolkit's kind must hold, from its
// users' side; conformance/cases_test.go says where the others are.
func TestCasesOfTheToolkit(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"01 one event", caseOneEvent}, {"02 agents", caseAgents}, {"03 chain", caseChain}, {"04 proof of one", caseProofOfOne}, {"05 export", caseExport},
		{"06 root changes", caseRootChanges}, {"07 nothing logged", caseNothing}, {"08 data altered", caseDataAltered}, {"09 swapped", caseSwapped}, {"10 deleted", caseDeleted},
		{"11 link overwritten", caseLink}, {"12 hash of another length", caseLength}, {"14 another key", caseKey}, {"16 reopened", caseReopened}, {"19 data round trip", caseRoundTrip},
		{"20 unicode", caseUnicode}, {"21 concurrent", caseConcurrent}, {"22 returned entries", caseReturned}, {"23 filters", caseFilters}, {"24 time range", caseTimes}, {"25 limit", caseLimit},
		{"26 two logs", caseTwoLogs}, {"27 restart", caseReopened}, {"28 types", caseTypes}, {"29 optional attributes", caseOptional}, {"30 time", caseTime}, {"31 shadowed fields", caseShadowed},
		{"32 verdict altered", caseVerdict}, {"33 tail dropped", caseTail}, {"34 rewritten", caseRewritten}, {"35 inner node", caseInner}, {"36 proof alone", caseAlone}, {"37 consistency", caseConsistency},
		{"38 every root", caseRoots}, {"44 large export", caseLargeExport}, {"45 trace and session", caseTrace}, {"49 wrong queries", caseWrong}, {"58 separators", caseSeparators},
	} {
		t.Run(c.name, c.test)
	}
}

func caseOneEvent(t *testing.T) {
	c := newCaseLog(t, "")
	r := c.record(tool("e-1", "did:web:agent", ""))[0]
	e := c.entries("agent=did:web:agent")
	if len(e) != 1 || r["status"] != "sealed" || e[0]["entry_id"] != "e-1" || e[0]["event_type"] != "tool_invocation" ||
		e[0]["entry_hash"] != r["entry_hash"] {
		t.Fatalf("%v, %v", r, e)
	}
	if hash := e[0]["entry_hash"].(string); len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
		t.Errorf("hash %s", hash)
	}
	for _, name := range []string{"timestamp", "received_at"} {
		if _, err := canonical.ParseTime(e[0][name].(string)); err != nil ||
			!strings.HasSuffix(e[0][name].(string), "Z") {
			t.Errorf("%s is %v", name, e[0][name])
		}
	}
}

func caseAgents(t *testing.T) {
	c := newCaseLog(t, "")
	c.record(tool("1", "agent1", ""), tool("2", "agent2", ""), tool("3", "agent1", ""))
	if a, b := ids(c.entries("agent=agent1")), ids(c.entries("type=tool_invocation")); a != "1 3" || b != "1 2 3" {
		t.Errorf("%s, %s", a, b)
	}
}

func caseChain(t *testing.T) {
	c := newCaseLog(t, "")
	c.recordAll(tools(100))
	list := c.entries("limit=1000")
	if len(list) != 101 || list[0]["previous_hash"] != strings.Repeat("0", 64) {
		t.Fatalf("%d entries, the first after %v", len(list), list[0]["previous_hash"])
	}
	for i := 1; i < len(list); i++ {
		if list[i]["previous_hash"] != list[i-1]["entry_hash"] {
			t.Fatalf("entry %d does not follow %d", i, i-1)
		}
	}
	var v query.Verdict
	if c.get("/v1/verify", &v); !v.Valid || v.TreeSize != 101 {
		t.Errorf("%+v", v)
	}
}

// The toolkit has no proof in a tree of one.
func caseProofOfOne(t *testing.T) {
	c := newCaseLog(t, "") // one entry: the log's own config
	p := c.proofOf("/v1/entries/0/proof")
	if p.TreeSize != 1 || len(p.MerkleProof) != 0 || p.MerkleProof == nil {
		t.Fatalf("%+v", p)
	}
	if _, err := checkLeaf([]byte(p.Leaf), 0, p.MerkleProof, []byte(p.Checkpoint), c.log.Key()); err != nil {
		t.Error(err)
	}
}

func caseExport(t *testing.T) {
	c := newCaseLog(t, "")
	c.recordAll(tools(5))
	lines := c.export()
	var m proof.Manifest
	if err := json.Unmarshal(lines[0], &m); err != nil || len(lines) != 7 ||
		!bytes.Contains(lines[0], []byte(`"checkpoint"`)) {
		t.Fatalf("%d lines, %s, %v", len(lines), lines[0], err)
	}
	if err := c.audit(lines); err != nil {
		t.Error(err)
	}
}

func caseRootChanges(t *testing.T) {
	c := newCaseLog(t, "")
	seen := map[string]bool{}
	for i := range 3 {
		if i > 0 {
			c.record(tool(fmt.Sprint(i), "a", ""))
		}
		var s api.Stats
		c.get("/v1/stats", &s)
		if seen[s.Root] || len(s.Root) != 64 {
			t.Errorf("root %s", s.Root)
		}
		seen[s.Root] = true
	}
}

// A log on which nothing was recorded holds its own config, so that it has a root that is signed.
func caseNothing(t *testing.T) {
	c := newCaseLog(t, "")
	var v query.Verdict
	if c.get("/v1/verify", &v); !v.Valid || v.TreeSize != 1 || v.Root != naiveRoot(c.leaves()).String() {
		t.Errorf("%+v", v)
	}
	if list := c.entries("type=tool_invocation"); len(list) != 0 {
		t.Errorf("%v", list)
	}
	if err := c.audit(c.export()); err != nil {
		t.Error(err)
	}
}

// altered records ten events, and gives what alter makes of the export; the middle event, n 4, is index 5 and line 6.
func altered(t *testing.T, alter func(lines [][]byte) [][]byte) (caseLog, error) {
	t.Helper()
	c := newCaseLog(t, "")
	c.recordAll(tools(10))
	lines := c.export()
	if err := c.audit(lines); err != nil {
		t.Fatalf("before: %v", err)
	}
	before := bytes.Join(lines, []byte("\n"))
	lines = alter(slices.Clone(lines))
	if bytes.Equal(before, bytes.Join(lines, []byte("\n"))) {
		t.Fatal("nothing was altered")
	}
	return c, c.audit(lines)
}

// replaced replaces a text in one line.
func replaced(line int, old, new string) func([][]byte) [][]byte {
	return func(lines [][]byte) [][]byte {
		lines[line] = bytes.Replace(lines[line], []byte(old), []byte(new), 1)
		return lines
	}
}

func caseDataAltered(t *testing.T) {
	if _, err := altered(t, replaced(6, `{\"n\":4}`, `{\"n\":5}`)); !blames(err, 5) {
		t.Errorf("%v, want index 5", err)
	}
}

func caseSwapped(t *testing.T) {
	if _, err := altered(t, func(l [][]byte) [][]byte { l[6], l[7] = l[7], l[6]; return l }); !blames(err, anywhere) {
		t.Errorf("%v", err)
	}
}

func caseDeleted(t *testing.T) {
	if _, err := altered(t, func(l [][]byte) [][]byte { return slices.Delete(l, 6, 7) }); !blames(err, anywhere) {
		t.Errorf("%v", err)
	}
}

func caseLink(t *testing.T) {
	_, err := altered(t, func(l [][]byte) [][]byte {
		const name = `\"previous_hash\":\"`
		at := bytes.Index(l[6], []byte(name)) + len(name)
		l[6] = slices.Concat(l[6][:at], bytes.Repeat([]byte("0"), 64), l[6][at+64:])
		return l
	})
	if !blames(err, 5) {
		t.Errorf("%v, want index 5", err)
	}
}

func caseLength(t *testing.T) {
	c := newCaseLog(t, "")
	c.recordAll(tools(3))
	for _, h := range []string{
		"", "00", strings.Repeat("0", 63), strings.Repeat("0", 65), strings.Repeat("g", 64), strings.Repeat("A", 64),
	} {
		if _, err := entry.ParseHash(h); err == nil {
			t.Errorf("%q is a hash", h)
		}
		raw := c.ask(http.MethodGet, "/v1/entries/1/proof", "", "", 200)
		at := bytes.Index(raw, []byte(`"merkle_proof":[["`)) + len(`"merkle_proof":[["`)
		if _, err := proof.ParseEntryProof(slices.Concat(raw[:at], []byte(h), raw[at+64:])); err == nil {
			t.Errorf("a proof with the hash %q is read", h)
		}
	}
}

func caseKey(t *testing.T) {
	c, other := newCaseLog(t, ""), newCaseLog(t, "")
	c.recordAll(tools(3))
	if err := c.audit(c.export()); err != nil {
		t.Error(err)
	}
	if err := other.audit(c.export()); err == nil {
		t.Error("another log's key verifies it")
	}
}

// Cases 16 and 27.
func caseReopened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	first := newCaseLog(t, dir)
	r := first.record(tool("1", "a", ""), tool("2", "a", ""))
	if err := first.log.Close(); err != nil {
		t.Fatal(err)
	}
	c := newCaseLog(t, dir)
	if list := c.entries("agent=a"); ids(list) != "1 2" || list[1]["entry_hash"] != r[1]["entry_hash"] {
		t.Fatalf("%v", list)
	}
	c.record(tool("3", "a", ""))
	list := c.entries("agent=a")
	var v query.Verdict
	if c.get("/v1/verify", &v); ids(list) != "1 2 3" || list[2]["previous_hash"] != r[1]["entry_hash"] || !v.Valid ||
		v.TreeSize != 4 {
		t.Errorf("%v, %+v", list, v)
	}
	if err := c.audit(c.export()); err != nil {
		t.Error(err)
	}
}

func caseRoundTrip(t *testing.T) {
	c := newCaseLog(t, "")
	nested := `{"egress":[{"host":"a.example","ports":[80,443]},{"host":"b.example","ports":[]}],"none":null,` +
		`"big":12345678901234567890,"f":1.50}`
	c.record(tool("1", "a", ""), tool("2", "a", `,"data":null`), tool("3", "a", `,"data":`+nested))
	for i, want := range map[int]string{1: "", 2: "null", 3: nested} {
		var e struct {
			Resource *string
			Raw      string `json:"data_raw"`
		}
		if c.get(fmt.Sprintf("/v1/entries/%d?raw=1", i), &e); e.Raw != want || e.Resource != nil {
			t.Errorf("%d: %q, want %q", i, e.Raw, want)
		}
	}
}

func caseUnicode(t *testing.T) {
	c := newCaseLog(t, "")
	data := `{"ü":"日本","emoji":"😀","escaped":"\ud83d\ude00"}`
	c.record(tool("日本 😀", "did:web:ü", `,"subject":"/é","data":`+data))
	var e struct {
		ID       string `json:"entry_id"`
		Resource string
		Raw      string `json:"data_raw"`
		Leaf     string
		Hash     string `json:"entry_hash"`
	}
	c.get("/v1/entries/1?raw=1", &e)
	if e.ID != "日本 😀" || e.Resource != "/é" || e.Raw != data ||
		e.Hash != sha([]byte{0}, []byte(e.Leaf)).String() {
		t.Errorf("%+v", e)
	}
}

func caseConcurrent(t *testing.T) {
	const threads, each = 8, 50
	c := newCaseLog(t, "")
	var group sync.WaitGroup
	for w := range threads {
		group.Go(func() {
			for i := range each {
				c.record(tool(fmt.Sprintf("%d-%d", w, i), fmt.Sprintf("agent-%d", w), ""))
			}
		})
	}
	group.Wait()
	lines := c.export()
	if len(lines) != threads*each+2 {
		t.Fatalf("%d lines", len(lines))
	}
	if err := c.audit(lines); err != nil {
		t.Error(err)
	}
	for i := range threads*each + 1 {
		p := c.proofOf(fmt.Sprintf("/v1/entries/%d/proof", i))
		if _, err := checkLeaf([]byte(p.Leaf), uint64(i), p.MerkleProof, []byte(p.Checkpoint),
			c.log.Key()); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
}

func caseReturned(t *testing.T) {
	c := newCaseLog(t, "")
	c.record(tool("1", "a", `,"tenant":"x","data":{"n":1}`))
	for range 2 {
		found, err := c.log.pipeline.query.Entry(open, 1)
		if err != nil || found.Entry.EntryID != "1" || found.Entry.Extensions["tenant"] != "x" ||
			string(found.Payload.Data) != `{"n":1}` {
			t.Fatalf("%+v, %v", found, err)
		}
		found.Entry.EntryID, found.Entry.Extensions["tenant"] = "2", "y"
	}
	var v query.Verdict
	if c.get("/v1/verify", &v); !v.Valid {
		t.Errorf("%+v", v)
	}
}

func caseFilters(t *testing.T) {
	c := newCaseLog(t, "")
	c.record(tool("1", "a", `,"action":"allow","outcome":"success"`),
		tool("2", "a", `,"action":"deny","outcome":"denied"`), tool("3", "b", `,"action":"deny","outcome":"denied"`))
	for filter, want := range map[string]string{"agent=a": "1 2", "action=deny": "2 3", "outcome=denied": "2 3",
		"agent=a&action=deny": "2", "agent=b&action=allow": "", "agent=c": "",
		"type=tool_invocation": "1 2 3", "agent=a&agent=b": "1 2 3"} {
		if got := ids(c.entries(filter)); got != want {
			t.Errorf("%s: %s, want %s", filter, got, want)
		}
	}
	if list := c.entries(""); len(list) != 4 { // and the log's own
		t.Errorf("%d without a filter", len(list))
	}
}

// A range that ends before it begins is refused, since nobody can mean it.
func caseTimes(t *testing.T) {
	c := newCaseLog(t, "")
	for i := range 4 {
		c.record(tool(fmt.Sprint(i), "a", fmt.Sprintf(`,"time":"2026-01-01T00:00:0%dZ"`, i)))
	}
	for filter, want := range map[string]string{
		"from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:02Z": "1 2", "to=2026-01-01T00:00:00Z": "0",
		"from=2026-01-01T00:00:03Z": "3", "from=2026-01-01T00:00:03.1Z": "",
	} {
		if got := ids(c.entries("agent=a&" + filter)); got != want {
			t.Errorf("%s: %s, want %s", filter, got, want)
		}
	}
	c.ask(http.MethodGet, "/v1/entries?from=2026-01-01T00:00:02Z&to=2026-01-01T00:00:01Z", "", "", 400)
}

func caseLimit(t *testing.T) {
	c := newCaseLog(t, "")
	c.recordAll(tools(120))
	if list := c.entries("agent=did:web:agent"); len(list) != 100 || list[0]["entry_id"] != "e-20" ||
		list[99]["entry_id"] != "e-119" {
		t.Errorf("%d, %v to %v", len(list), list[0]["entry_id"], list[len(list)-1]["entry_id"])
	}
	for _, limit := range []string{"0", "-2", "1001", "x"} {
		c.ask(http.MethodGet, "/v1/entries?limit="+limit, "", "", 400)
	}
}

func caseTwoLogs(t *testing.T) {
	a, b := newCaseLog(t, ""), newCaseLog(t, "")
	a.record(tool("1", "a", ""))
	if list := b.entries("agent=a"); len(list) != 0 {
		t.Errorf("the other log shows %v", list)
	}
	a.ask(http.MethodGet, "/v1/entries?log=other", "", "", 404)
}

// exportedCloudEvents is the export as CloudEvents, but for the log's own entries.
func (c caseLog) exportedCloudEvents() (list []map[string]any) {
	c.Helper()
	var all []map[string]any
	c.get("/v1/export?format=cloudevents", &all)
	for _, e := range all {
		if e["specversion"] != "1.0" {
			c.Errorf("%v", e)
		}
		if !strings.Contains(e["type"].(string), "sealstream.") {
			list = append(list, e)
		}
	}
	return list
}

func caseTypes(t *testing.T) {
	c := newCaseLog(t, "")
	types := []string{"ai.agentmesh.tool.invoked", "ai.agentmesh.tool.blocked", "ai.agentmesh.policy.evaluation",
		"ai.agentmesh.policy.violation", "ai.agentmesh.trust.handshake",
		"ai.agentmesh.trust.score.updated", "ai.agentmesh.agent.registered", "ai.agentmesh.agent.verified", "ai.agentmesh.audit.integrity.verified", "ai.agentmesh.custom_kind"}
	mapped := "tool_invocation tool_blocked policy_evaluation policy_violation trust_handshake trust_score_updated " +
		"agent_registered agent_verified audit_integrity custom_kind"
	for i, ce := range types {
		c.record(fmt.Sprintf(`"id":"%d","source":"a","type":%q`, i, ce))
	}
	var got []string
	for _, e := range c.entries("agent=a") {
		got = append(got, e["event_type"].(string))
	}
	if strings.Join(got, " ") != mapped {
		t.Errorf("%v", got)
	}
	for i, e := range c.exportedCloudEvents() {
		if e["type"] != types[i] {
			t.Errorf("%v, want %s", e["type"], types[i])
		}
	}
}

func caseOptional(t *testing.T) {
	c := newCaseLog(t, "")
	names := []string{
		"policydecision", "matchedrule", "traceid", "sessionid", "targetdid", "agtpolicyversion", "agtargumentshash",
		"agtapproverdid", "agtissuedat", "agtcompletedat",
	}
	more := ""
	for _, name := range names {
		more += fmt.Sprintf(`,%q:"x"`, name)
	}
	c.record(tool("with", "a", more), tool("without", "a", ""))
	list := c.exportedCloudEvents()
	for _, name := range names {
		if _, there := list[1][name]; list[0][name] != "x" || there {
			t.Errorf("%s: %v, %v", name, list[0][name], list[1][name])
		}
	}
}

func caseTime(t *testing.T) {
	c := newCaseLog(t, "")
	c.record(tool("1", "a", `,"time":"2026-05-22T03:02:03.456789+02:00"`), tool("2", "a", ""))
	for i, e := range c.exportedCloudEvents() {
		if _, err := canonical.Time(e["time"].(string)); err != nil ||
			i == 0 && e["time"] != "2026-05-22T01:02:03.456789Z" {
			t.Errorf("%v: %v", e["time"], err)
		}
	}
	if r := c.record(tool("3", "a", `,"time":"2026-05-22T01:02:03+00:00Z"`))[0]; r["status"] != "rejected" {
		t.Errorf("the toolkit's time is taken: %v", r)
	}
}

func caseShadowed(t *testing.T) {
	c := newCaseLog(t, "")
	c.record(tool("1", "a",
		`,"action":"deny","outcome":"denied","data":{"action":"allow","outcome":"success","entry_hash":"x"}`))
	e, x := c.entries("agent=a")[0], c.exportedCloudEvents()[0]
	if e["action"] != "deny" || e["outcome"] != "denied" || x["action"] != "deny" || x["outcome"] != "denied" {
		t.Errorf("%v, %v", e, x)
	}
	if list := c.entries("action=allow"); len(list) != 0 {
		t.Errorf("%v", list)
	}
}

func caseVerdict(t *testing.T) {
	for _, a := range [][2]string{
		{`\"policy_decision\":\"yes\"`, `\"policy_decision\":\"no!\"`}, {`\"trace_id\":\"t\"`, `\"trace_id\":\"u\"`},
		{`\"action\":\"allow\"`, `\"action\":\"audit\"`},
	} {
		// The hash of an exported leaf stands in the next one: where they do not fit, either can be
		// the one that was altered.
		if _, err := altered(t, replaced(6, a[0], a[1])); !blames(err, 5) && !blames(err, 6) {
			t.Errorf("%s: %v, want index 5 or 6", a[1], err)
		}
	}
	c := newCaseLog(t, "")
	c.record(tool("1", "a", `,"agtapproverdid":"did:web:boss","agtargumentshash":"00"`), tool("2", "a", ""))
	lines := c.export()
	for _, name := range []string{"did:web:boss", `\"agtargumentshash\":\"00`} {
		l := slices.Clone(lines)
		l[2] = bytes.Replace(l[2], []byte(name), []byte(strings.Replace(name, "0", "1", 1)+"x"), 1)
		if err := c.audit(l); err == nil {
			t.Errorf("%s is not under the hash", name)
		}
	}
}
