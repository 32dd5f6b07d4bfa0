package sealer

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// claim is one event of a message, as its sender means it: content is a name for (source, id, all
// that it says), or empty where the event is not one that can be sealed.
type claim struct{ source, id, content string }

// said is a message that somebody publishes.
type said struct {
	message entry.Message
	claims  []claim        // by position; nil: the message is refused as one
	records []inbox.Record // of a message of ingest
	open    bool           // it comes on events.open
	config  *entry.Config
	begun   int // step at which it was first sent
	acked   int // step at which it was acknowledged; 0: never
}

// mind makes up what a publisher says.
type mind struct {
	r       *rand.Rand
	name    string
	hostile float64
	rich    bool
	moved   bool // events have attributes that rules 4 move out of extensions
	n       int
	old     []claim // said before, to be said again
}

func (m *mind) event(c claim) string {
	parent := ""
	if m.rich {
		parent = `"traceparent":"` + aParent + `",`
	}
	if m.moved {
		for _, a := range movedHeaders {
			parent += fmt.Sprintf("%q:%q,", a[0], a[1])
		}
	}
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":%q,"type":"ai.agentmesh.tool.invoked","subject":%q,%s`+
		`"data":%s}`,
		c.id, c.source, c.content, parent, m.data(c))
}

// movedHeaders are attributes that become members of leaves, or go beside the data.
var movedHeaders = [][2]string{
	{"authid", "ann"}, {"causationid", ""}, {"actionsalt", "s"}, {"dssematerial", "e30="}, {"agentsignature", "c2ln"},
}

// aParent has a parent id that newer rules do not take for one.
const aParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"

func (m *mind) data(c claim) string {
	if m.rich {
		return fmt.Sprintf(`{"content":%q,"key":%q}`, c.content, aToken)
	}
	return fmt.Sprintf(`{"content":%q}`, c.content)
}

// claim is a new one, or now and then an old one, or an old id with new content.
func (m *mind) claim() claim {
	m.n++
	c := claim{"did:" + m.name, fmt.Sprint(m.n), fmt.Sprintf("%s/%d", m.name, m.n)}
	if len(m.old) > 0 {
		switch o := m.old[m.r.IntN(len(m.old))]; m.r.IntN(12) {
		case 0:
			return o
		case 1:
			c.id = o.id
		}
	}
	m.old = append(m.old, c)
	return c
}

func (m *mind) next() *said {
	subject, own := "audit."+testLog+".", "audit."+testLog+"."+tokenSubject("did:"+m.name)
	if m.r.Float64() < m.hostile {
		return m.nasty(subject, own)
	}
	c, kind := m.claim(), m.r.IntN(6)
	if m.rich && kind > 3 {
		kind = 3
	}
	switch kind {
	case 0:
		return &said{
			message: entry.Message{Subject: subject + "events.open", Data: []byte(m.event(c))}, claims: []claim{c},
			open: true,
		}
	case 1: // binary
		h := entry.Header{
			"ce-specversion": {"1.0"}, "ce-id": {c.id}, "ce-source": {c.source},
			"ce-type": {"ai.agentmesh.tool.invoked"}, "ce-subject": {c.content},
		}
		if m.rich {
			h["ce-traceparent"] = []string{aParent}
		}
		for _, a := range movedHeaders {
			if m.moved {
				h["ce-"+a[0]] = []string{a[1]}
			}
		}
		return &said{
			message: entry.Message{Subject: own, Header: h, Data: []byte(m.data(c))},
			claims:  []claim{c},
		}
	case 2: // a batch
		s := &said{claims: []claim{c}}
		list := []string{m.event(c)}
		for range m.r.IntN(8) {
			s.claims = append(s.claims, m.claim())
			list = append(list, m.event(s.claims[len(list)]))
		}
		if m.r.Float64() < m.hostile {
			s.claims = append(s.claims, claim{})
			list = append(list, `{"id":"no event"}`)
		}
		s.message = entry.Message{Subject: own, Data: []byte("[" + strings.Join(list, ",") + "]")}
		return s
	case 3: // of ingest
		s := &said{claims: []claim{c}, records: []inbox.Record{{Event: []byte(m.event(c)), Publisher: "p"}}}
		for range m.r.IntN(12) {
			c := m.claim()
			s.claims, s.records = append(s.claims, c), append(s.records, inbox.Record{Event: []byte(m.event(c))})
		}
		s.message = entry.Message{Subject: subject + "batch.i", Data: appendRecords(s.records, nil)}
		return s
	}
	return &said{message: entry.Message{Subject: own, Data: []byte(m.event(c))}, claims: []claim{c}}
}

// nasty is what must not stop anything.
func (m *mind) nasty(subject, own string) *said {
	m.n++
	one := []claim{{}}
	switch m.r.IntN(8) {
	case 0:
		return &said{message: entry.Message{Subject: own, Header: entry.Header{"Status": {"408"}}}, claims: one}
	case 1:
		return &said{
			message: entry.Message{
				Subject: own,
				Data:    []byte(`{"specversion":"1.0","id":"r","source":"did:` + m.name + `","type":"sealstream.gap"}`),
			},
			claims: one,
		}
	case 2: // in another's name
		return &said{
			message: entry.Message{Subject: own, Data: []byte(m.event(claim{"did:victim", fmt.Sprint(m.n), "forged"}))},
			claims:  one,
		}
	case 3:
		return &said{message: entry.Message{Subject: own, Data: []byte("[1,")}}
	case 4:
		return &said{message: entry.Message{Subject: own, Data: []byte(strings.Repeat("\xff", 5000))}, claims: one}
	case 5:
		return &said{
			message: entry.Message{
				Subject: subject + "batch.i", Data: []byte("[" + strings.Repeat("{},", 256) + "{}]"),
			},
		}
	case 6:
		return &said{
			message: entry.Message{
				Subject: subject + "control", Data: []byte(m.event(claim{"did:" + m.name, "c", "c"})),
			},
		}
	}
	if m.moved {
		text := `[{"event":` + m.event(claim{"did:" + m.name, "s", "s"}) + `}]`
		return &said{message: entry.Message{Subject: subject + "service.query", Data: []byte(text)}}
	}
	return &said{message: entry.Message{Subject: subject + "nowhere", Data: []byte("[]")}}
}

// publisher says what it has to say, each only when the one before is acknowledged; what is not
// acknowledged is said again.
func (w *world) publisher(n int) {
	name := fmt.Sprintf("p%d", n)
	m := &mind{
		r: rand.New(rand.NewPCG(w.plan.seed, uint64(100+n))), name: name, hostile: w.plan.hostile, rich: w.plan.rich,
		moved: w.plan.upgrade,
	}
	c := w.join(name, false)
	w.publish(1)
	w.act(func() {
		defer w.publish(-1)
		for range w.plan.messages {
			w.say(c, m.r, m.next())
			if m.r.IntN(3) == 0 {
				time.Sleep(time.Duration(m.r.IntN(2000)) * time.Millisecond)
			}
		}
	})
}

func (w *world) say(c *client, r *rand.Rand, s *said) {
	w.sent(s)
	seq, offered := uint64(0), w.offer(s)
	defer func() { w.handover.Stored(offered, seq) }()
	for range 20 {
		var err error
		seq, err = c.write(c.ctx, "events.publish", func() (uint64, error) { return w.landSaid(s) })
		if err == nil {
			w.acknowledged(s)
			return
		}
		if r.IntN(10) == 0 {
			return // gives up
		}
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
	}
}

// host is where sealers run one after the other.
func (w *world) host(n int) {
	r := rand.New(rand.NewPCG(w.plan.seed, uint64(200+n)))
	limits := w.plan.sealers[n]
	w.act(func() {
		for life := 0; !w.ends(); life++ {
			c := w.join(fmt.Sprintf("s%d.%d", n, life), true)
			ctx := c.run
			cfg := w.config(c, limits)
			host := n
			switch w.plan.marks {
			case 1:
				host = 0
				fallthrough
			case 2:
				cfg.mark = simMark{c, &w.marks[host]}
				if cfg.pieceSize = w.plan.piece; cfg.pieceSize > 0 {
					cfg.snapshot, cfg.Logger = simFolder{c, &w.folders[host]}, slog.New(w.said)
				}
			}
			w.plant(c, &cfg)
			s, err := New(cfg)
			if err != nil {
				panic(err)
			}
			w.ended(c, s.Run(ctx))
			c.kill()
			time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
		}
	})
}

func (w *world) config(c *client, l batchLimits) Config {
	var rules *redact.Rules
	if w.plan.rich {
		rules = redact.Default()
	}
	return Config{
		Redaction: rules, Handover: w.handover,
		Log: c.log(), Signer: testSigner, Secret: testSecret, MaxEntries: l.entries, MaxLeafBytes: l.leafBytes,
		MaxPayloadBytes: l.payloadBytes,
		KeepEvents:      w.plan.keep, window: w.plan.window, slack: w.plan.slack,
	}
}

// ended looks at why a sealer stopped.
func (w *world) ended(c *client, err error) {
	w.state.Lock()
	defer w.state.Unlock()
	switch {
	case err == nil || c.ctx.Err() != nil:
	case errors.Is(err, ErrInputLost) && (w.losses > 0 || len(w.vanished) > 0):
		w.needHelp = true
	case maybeStale(err) != nil && c.stale >= 2: // it was told the same old thing twice
	default:
		w.fail("%s stopped: %w", c.name, err)
	}
}

// administrator creates the log, and opens an epoch when a sealer says that EVENTS is lost.
func (w *world) administrator() {
	c := w.join("admin", false)
	cfg := w.config(c, batchLimits{})
	for c.ctx.Err() == nil && Create(c.ctx, cfg, true) != nil {
		time.Sleep(time.Second)
	}
	for n := range w.plan.publishers {
		w.publisher(n)
	}
	w.publish(-1)
	for !w.ends() {
		if w.helped() {
			for {
				opened, err := OpenEpoch(c.ctx, cfg, "lost")
				if err == nil || w.ends() {
					w.remark("admin: epoch opened: %v", opened)
					break
				}
				w.remark("admin: %v", err)
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Second)
	}
}

// impostor is a sealer that is not the log's. It must refuse, and write nothing.
func (w *world) impostor() bool {
	w.impostorsMade++
	w.impostors++
	c := w.client(fmt.Sprintf("impostor%d", w.impostorsMade), true)
	c.honest = false
	cfg := w.config(c, batchLimits{})
	if w.rng.IntN(2) == 0 {
		cfg.Secret = []byte(strings.Repeat("x", 32))
	} else {
		cfg.Signer = signerOf(9)
	}
	w.note("%s begins", c.name)
	w.act(func() {
		s, err := New(cfg)
		if err != nil {
			panic(err)
		}
		err = s.Run(c.ctx)
		w.locked(func() {
			w.impostors--
			if !errors.Is(err, ErrRefused) && c.ctx.Err() == nil && !(maybeStale(err) != nil && c.stale >= 2) {
				w.fail("%s was not refused: %v", c.name, err)
			}
		})
	})
	return true
}

// landSaid appends a publisher's message to the truth, and to its history.
func (w *world) landSaid(s *said) (uint64, error) {
	seq, err := w.log.Events.Append(background, s.message, nil)
	if err != nil {
		return 0, err
	}
	m, err := w.log.Events.Get(background, seq)
	if err != nil {
		return 0, err
	}
	w.onEvents(m, s)
	return seq, nil
}

var _ store.Stream = (*simStream)(nil)
