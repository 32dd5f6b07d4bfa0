package query_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// press seals events without a sealer: one batch for each group, whatever they are. It makes large
// logs quickly, and logs that a sealer would make only after a million entries.
type press struct {
	testing.TB
	log      *store.Log
	signer   *proof.Signer
	frontier merkle.Frontier
	previous entry.Hash
	seq      uint64 // of EVENTS
	payloads uint64
}

func newPress(t testing.TB) *press {
	t.Helper()
	p := &press{TB: t, log: store.NewMemory("default"), signer: logtest.Signer(t, logtest.Name)}
	config := &entry.Config{
		Origin: p.signer.Origin(), Keys: []string{p.signer.VerifierKey()},
		EventsCreated: canonical.FormatReceived(time.Unix(0, 0)), Epoch: 1, Rules: ruleset.First,
		SecretFingerprint: draft.SecretFingerprint(nil), Limits: entry.DefaultLimits(),
	}
	p.batch(func(src draft.Source) []draft.Draft {
		return []draft.Draft{draft.Own(src, entry.TypeConfig, config)}
	})
	return p
}

// seal seals events as one batch.
func (p *press) seal(events ...[]byte) {
	p.Helper()
	p.batch(func(src draft.Source) (drafts []draft.Draft) {
		for i, raw := range events {
			e, err := entry.ParseEvent(raw)
			if err != nil {
				p.Fatal(err)
			}
			src.Position = uint64(i)
			drafts = append(drafts, draft.Event(src, e))
		}
		return drafts
	})
}

func (p *press) batch(drafts func(draft.Source) []draft.Draft) {
	p.Helper()
	p.seq++
	at := time.Unix(1700000000+int64(p.seq)*256, int64(p.seq)*1000)
	b := sealedlog.Batch{
		First: p.frontier.Size(), Input: sealedlog.Position{Epoch: 1, Seq: p.seq, Place: sealedlog.PlaceEnd, Time: at},
	}
	var records []byte
	for _, d := range drafts(draft.Source{
		Log: "default", Origin: p.signer.Origin(), Epoch: 1, Seq: p.seq, ReceivedAt: canonical.FormatReceived(at),
	}) {
		e, payload := d.Seal(p.frontier.Size(), p.previous)
		if payload != nil {
			records = append(payload.AppendRecord(records), '\n')
		}
		b.Leaves, p.previous = append(b.Leaves, e.Leaf), e.EntryHash
		p.frontier.Append(entry.LeafHash(e.Leaf))
	}
	if records != nil {
		p.payloads = p.append(p.log.Payloads, entry.Message{Subject: "audit.default.payloads", Data: records})
	}
	b.Size, b.Root, b.Frontier, b.Payloads = p.frontier.Size(), p.frontier.Root(), p.frontier.Hashes(), p.payloads
	var err error
	if b.Checkpoint, err = p.signer.Sign(b.Size, b.Root); err != nil {
		p.Fatal(err)
	}
	header, body := b.Format()
	p.append(p.log.Sealed, entry.Message{Subject: "audit.default.sealed", Header: header, Data: body})
}

func (p *press) append(s store.Stream, m entry.Message) uint64 {
	p.Helper()
	seq, err := s.Append(p.Context(), m, nil)
	if err != nil {
		p.Fatal(err)
	}
	return seq
}

// large seals n events in full batches: 1,000 agents, 50,000 resources, both of very unequal
// frequency. One in eight entries begins a trace, one in twenty a session; one in four has a
// target.
func large(t testing.TB, n int) *press {
	p, r := newPress(t), rand.New(rand.NewPCG(1, 6))
	agents, resources := rand.NewZipf(r, 1.2, 1, 999), rand.NewZipf(r, 1.1, 1, 49_999)
	kinds := []string{
		"tool.invoked", "tool.blocked", "policy.violation", "policy.evaluation", "agent.invocation", "trust.handshake",
	}
	for i := 0; i < n; {
		var events [][]byte
		for ; i < n && len(events) < 256; i++ {
			target := ""
			if r.IntN(4) == 0 {
				target = fmt.Sprintf(`"targetdid":"did:web:agent-%d.example.com",`, agents.Uint64())
			}
			resource := resources.Uint64()
			events = append(events,
				fmt.Appendf(nil,
					`{"specversion":"1.0","id":"0197b2c4-0000-7000-8000-%012d",`+
						`"source":"did:web:agent-%d.example.com","type":"ai.agentmesh.%s",`+
						`"subject":"/crm/%s/%d",%s"time":%q,"action":%q,"outcome":%q,"matchedrule":"rule-%d",`+
						`"traceid":"%016x%016x","sessionid":"session-%d",`+
						`"data":{"tool":"lookup","n":%d}}`, i, agents.Uint64(), kinds[min(r.IntN(20), 5)],
					[]string{"customers", "orders"}[resource%2], resource, target,
					time.Unix(1700000000+int64(i)-int64(r.IntN(600)), int64(r.IntN(1000))*1e6).UTC().
						Format("2006-01-02T15:04:05.000Z"), ruleset.Actions[r.IntN(5)], ruleset.Outcomes[r.IntN(4)],
					r.IntN(30), uint64(i/8)*0x9e3779b97f4a7c15, uint64(i/8)*0xc2b2ae3d27d4eb4f, i/20, i))
		}
		p.seal(events...)
	}
	return p
}
