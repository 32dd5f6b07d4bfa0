// Package eventgen generates events for tests, benchmarks and demos. The same seed gives the same
// events. They have all types, actions and outcomes, in traces of three agents that delegate to
// each other. They contain strings that break parsers, terminals and spreadsheets, and numbers that
// do not fit into a float.
package eventgen

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Options is the variety of the events. Values are drawn by Zipf's law: a few of them often, most
// of them rarely.
type Options struct {
	Agents    int  // number of agents, at least 3; 0 is 20
	Resources int  // number of resources; 0 is 100
	Plain     bool // leave out hostile strings and binary data
}

// Gen generates events. Only one goroutine may use it.
type Gen struct {
	r         *rand.Rand
	opts      Options
	agents    *rand.Zipf
	resources *rand.Zipf
	n         uint64
	trace     trace
	clock     time.Time
}

// trace is a piece of work that goes through the hands of three agents.
type trace struct {
	id, session string
	agents      [3]string
	turn        int // whose it is
	left        int // events to come
}

// New returns a generator.
func New(seed uint64, opts Options) *Gen {
	if opts.Agents == 0 {
		opts.Agents = 20
	}
	opts.Agents = max(opts.Agents, 3)
	if opts.Resources == 0 {
		opts.Resources = 100
	}
	r := rand.New(rand.NewPCG(seed, 0x5ea15742))
	return &Gen{
		r: r, opts: opts, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seed%1000) * time.Hour),
		agents: rand.NewZipf(r, 1.1, 1, uint64(opts.Agents-1)), resources: rand.NewZipf(r, 1.1, 1, uint64(opts.Resources-1)),
	}
}

// Types are the event types that are made; the last two are no type that the specification names.
var Types = []string{
	"tool_invocation",
	"tool_blocked",
	"policy_evaluation",
	"policy_violation",
	"rogue_detection",
	"agent_invocation",
	"trust_handshake",
	"trust_score_updated",
	"agent_registered",
	"agent_verified",
	"audit_integrity",
	"memory_written",
	"com.example.custom",
}

// Event returns the next event, which is valid.
func (g *Gen) Event() entry.Event {
	if g.trace.left == 0 {
		g.newTrace()
	}
	g.trace.left--
	g.n++
	ev := entry.Event{
		ID:         g.id(),
		Source:     g.trace.agents[g.trace.turn],
		TraceID:    g.trace.id,
		SessionID:  g.trace.session,
		Subject:    fmt.Sprintf("/%s/%d", pick(g.r, "crm", "files", "mail", "tools", "payments"), g.resources.Uint64()),
		Extensions: map[string]string{},
	}
	g.kind(&ev)
	if g.r.IntN(10) > 0 {
		g.clock = g.clock.Add(time.Duration(g.r.Int64N(int64(3 * time.Second))))
		ev.Time = g.time()
	}
	if g.r.IntN(3) == 0 {
		seq := g.n
		ev.AgentSeq = &seq
	}
	g.extras(&ev)
	g.data(&ev)
	if err := ev.Check(); err != nil {
		panic(fmt.Sprintf("eventgen: event %d is not valid: %v", g.n, err))
	}
	return ev
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (g *Gen) newTrace() {
	t := trace{session: fmt.Sprintf("session-%d", g.r.IntN(500)), left: 3 + g.r.IntN(12)}
	var id [16]byte
	for i := range id {
		id[i] = byte(g.r.Uint32())
	}
	t.id = hex.EncodeToString(id[:])
	first := g.agents.Uint64()
	for i := range t.agents {
		t.agents[i] = fmt.Sprintf("did:web:agent-%d.example.com", (first+uint64(i))%uint64(g.opts.Agents))
	}
	g.trace = t
}

func (g *Gen) id() string {
	if !g.opts.Plain && g.r.IntN(50) == 0 {
		return pick(g.r, "a/b?c=d#e", "%2F%00", "id with spaces", "../../etc/passwd",
			"ид-события") + strconv.FormatUint(
			g.n,
			10,
		)
	}
	return fmt.Sprintf("%08x-%08x-%d", g.r.Uint32(), g.r.Uint32(), g.n)
}

// kind chooses the type, and what goes with it.
func (g *Gen) kind(ev *entry.Event) {
	kind := Types[0]
	if g.r.IntN(2) == 0 {
		kind = pick(g.r, Types...)
	}
	ev.Action, ev.Outcome = pick(
		g.r,
		append(slices.Clone(ruleset.Actions), "")...), pick(
		g.r,
		append(slices.Clone(ruleset.Outcomes), "")...)
	switch kind {
	case "agent_invocation": // hands over to the next agent
		g.trace.turn = (g.trace.turn + 1) % 3
		ev.TargetDID = g.trace.agents[g.trace.turn]
	case "policy_evaluation", "policy_violation", "tool_blocked":
		ev.PolicyDecision = pick(g.r, "allow", "deny", "review")
		ev.MatchedRule = fmt.Sprintf("rule-%d", g.r.IntN(12))
	}
	ev.Type = ruleset.CloudEventType(kind)
	if strings.Contains(kind, ".") {
		ev.Type = kind
	}
}

// time is written in one of the ways in which agents write it.
func (g *Gen) time() string {
	switch g.r.IntN(5) {
	case 0:
		return g.clock.Format(time.RFC3339)
	case 1:
		return g.clock.In(time.FixedZone("", 5*3600+1800)).Format(time.RFC3339Nano)
	case 2:
		return g.clock.Format("2006-01-02T15:04:05") + ".123456789012345Z"
	}
	return g.clock.Format(time.RFC3339Nano)
}

// hostile are strings that break what is careless.
var hostile = []string{
	`"`,
	`\`,
	`\u0000`,
	"</script><script>alert(1)</script>",
	"=HYPERLINK(\"http://evil.example\")",
	"@SUM(A1)",
	"-1+1",
	"a\u2028b\u2029c",
	"\u202egnp.exe",
	"😀🏳️‍🌈",
	"e\u0301",
	"%00%0d%0aX: y",
	"' OR 1=1 --",
	"$(reboot)",
	"null",
	"NaN",
	strings.Repeat("x", 3000),
	"\uffee",
	"  spaces  ",
}

func (g *Gen) extras(ev *entry.Event) {
	if g.r.IntN(4) == 0 {
		ev.Extensions["traceparent"] = "00-" + g.trace.id + "-00f067aa0ba902b7-01"
	}
	if g.r.IntN(8) == 0 {
		ev.Extensions["policyversion"] = strconv.Itoa(g.r.IntN(9))
	}
	if g.opts.Plain || g.r.IntN(4) > 0 {
		return
	}
	ev.Extensions["note"] = pick(g.r, hostile...)
	switch g.r.IntN(3) {
	case 0:
		ev.Subject = pick(g.r, hostile...)
	case 1:
		ev.MatchedRule = pick(g.r, hostile...)
	}
}

// data gives most events JSON, some text or bytes, and some none; a few have a salt of their own.
func (g *Gen) data(ev *entry.Event) {
	switch k := g.r.IntN(12); {
	case k == 0:
		return
	case k == 1 && !g.opts.Plain:
		ev.Extensions["datacontenttype"] = "application/octet-stream"
		ev.Data, ev.HasData = make([]byte, g.r.IntN(300)), true
		for i := range ev.Data {
			ev.Data[i] = byte(g.r.Uint32())
		}
	case k == 2 && !g.opts.Plain:
		ev.Extensions["datacontenttype"] = "text/plain; charset=utf-8"
		ev.Data, ev.HasData = []byte(pick(g.r, hostile...)), true
	default:
		if err := ev.SetJSON(g.json()); err != nil {
			panic(err)
		}
	}
	if g.r.IntN(5) == 0 {
		var salt [32]byte
		for i := range salt {
			salt[i] = byte(g.r.Uint32())
		}
		ev.Salt = &salt
	}
}

// json is a tool call with its result: with integers of 64 bits, times in nanoseconds, and numbers
// that no float holds.
func (g *Gen) json() []byte {
	switch g.r.IntN(20) {
	case 0:
		return []byte(pick(g.r, "null", "true", `""`, "[]", "{}", "1e400", "-0.0", "18446744073709551615"))
	case 1:
		return []byte(strings.Repeat("[", ruleset.MaxDepth) + strings.Repeat("]", ruleset.MaxDepth))
	}
	text := pick(g.r, "ok", "not found", "three results")
	if !g.opts.Plain && g.r.IntN(4) == 0 {
		text = pick(g.r, hostile...)
	}
	return fmt.Appendf(
		nil,
		`{"tool": %q, "arguments": {"id": %d, "at": %d, "amount": %s}, "result": %s}`,
		pick(g.r, "lookup", "book", "search", "send"),
		g.r.Uint64(),
		g.clock.UnixNano(),
		pick(g.r, "1.10", "0.1e-7", "12345678901234567890.5", "-0"),
		canonical.AppendString(nil, text),
	)
}
