package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// bare is an event without data.
func bare(id string) string { return strings.Replace(event(id), `,"data":{"n":1}`, "", 1) }

// checkProofs checks an answer as a client does that was given the key alone: each proof is of the
// leaves of its receipts, and each leaf is of its receipt. It returns how many entries are proven.
func checkProofs(t *testing.T, w *world, got api.Receipts) (proven int) {
	t.Helper()
	of := make([][]entry.Entry, len(got.Proofs))
	for i, r := range got.Receipts {
		if r.ProofAt == nil {
			if r.Leaf != "" || r.Salt != "" || r.Status == api.Sealed && r.Checkpoint == "" {
				t.Errorf("receipt %d without a proof: %+v", i, r)
			}
			continue
		}
		proven++
		e, err := entry.ParseEntry([]byte(r.Leaf))
		if err != nil {
			t.Fatalf("receipt %d: %v", i, err)
		}
		source, id := e.Claim()
		if r.Status != api.Sealed || e.Index != r.Index || e.EntryHash.String() != r.EntryHash || id != r.EntryID ||
			source != r.AgentDID || r.Checkpoint != "" {
			t.Errorf("receipt %d: %+v", i, r)
		}
		if (e.DataHash == nil) != (r.Salt == "") {
			t.Errorf("receipt %d: salt %q of %s", i, r.Salt, r.Leaf)
		} else if e.DataHash != nil {
			salt, err := entry.ParseHash(r.Salt)
			if err != nil || entry.DataHash(salt, []byte(`{"n":1}`)) != *e.DataHash {
				t.Errorf("receipt %d: the salt does not open the data: %v", i, err)
			}
		}
		of[*r.ProofAt] = append(of[*r.ProofAt], e)
	}
	for i, p := range got.Proofs {
		cp, err := p.Check(of[i], w.vkey)
		if err != nil || len(of[i]) == 0 {
			t.Errorf("proof %d of %d entries: %v", i, len(of[i]), err)
			continue
		}
		b, err := store.FindBatch(t.Context(), w.log, of[i][0].Index)
		if err != nil || b.Batch.Size != cp.Size || string(b.Batch.Checkpoint) != p.Checkpoint {
			t.Errorf("proof %d is not to the checkpoint of its batch, size %d: %v", i, cp.Size, err)
		}
	}
	return proven
}

func (w *world) postProved(t *testing.T, body string) api.Receipts {
	t.Helper()
	a := postBatch(w.ingest.Handler(), "?wait=sealed&proof=1", []byte(body))
	return decodeProved(t, a)
}

func decodeProved(t *testing.T, a *httptest.ResponseRecorder) (got api.Receipts) {
	t.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil || a.Code != 200 {
		t.Fatalf("%d %s: %v", a.Code, a.Body, err)
	}
	return got
}

// TestProofs: receipts of new events come with proofs, from many callers at once, beside repeats and
// rejected events, which have none, over both stores. The answers without proof=1 are as ever.
func TestProofs(t *testing.T) {
	for name, log := range map[string]func(testing.TB) *store.Log{
		"memory": func(testing.TB) *store.Log { return store.NewMemory("default") },
		"nats":   onNATS,
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, log(t), ingest.Config{})
			w.postProved(t, "["+event("first")+"]") // from here on, the frontier is known
			parallel(16, func(p int) {
				for n := range 5 {
					id := func(k int) string { return fmt.Sprintf("%d-%d-%d", p, n, k) }
					got := w.postProved(t, "["+strings.Join([]string{event(id(0)), bare(id(1)), event(id(0)),
						`{}`, event("first"), event(id(1))}, ",")+"]")
					if n := checkProofs(t, w, got); n != 3 || got.Receipts[5].EquivocationOf == 0 {
						t.Errorf("%d entries are proven: %+v", n, got)
					}
				}
			})
			plain := postBatch(w.ingest.Handler(), "?wait=sealed", []byte("["+event("plain")+"]")).Body.String()
			for _, member := range []string{`"proof`, `"leaf"`, `"salt"`} {
				if strings.Contains(plain, member) || !strings.Contains(plain, `"checkpoint"`) {
					t.Errorf("without proof=1: %s", plain)
				}
			}
			if left := w.ingest.InFlight(); left != 0 {
				t.Errorf("%d bytes are still charged", left)
			}
		})
	}
}

// TestProofsOfSmallBatches: where the entries of one message stand in many batches, each has a proof
// to its own batch's checkpoint, or none.
func TestProofsOfSmallBatches(t *testing.T) {
	l := logtest.New(t, store.NewMemory(logtest.Name), func(c *sealer.Config) { c.MaxEntries = 3 })
	l.Run("sealer", l.Sealer().Run)
	w := &world{log: l.Store, vkey: l.Key}
	w.run(t, ingest.Config{Log: l.Store})
	for round := range 5 {
		var list []string
		for i := range 20 {
			list = append(list, event(fmt.Sprint(round, "-", i)))
		}
		got := w.postProved(t, "["+strings.Join(list, ",")+"]")
		// on a slow machine, all may be sealed before the reader is open: then the newest three are known
		if n := checkProofs(t, w, got); round > 0 && (n < 8 || len(got.Proofs) < 3) {
			t.Errorf("round %d: %d entries are proven by %d proofs", round, n, len(got.Proofs))
		}
	}
}

// forging is SEALED as a thief of the broker would change it.
type forging struct {
	store.Stream
	change func(m *entry.Message)
}

type forgingReader struct {
	store.Reader
	of *forging
}

func (f *forging) Read(ctx context.Context, from uint64) (store.Reader, error) {
	r, err := f.Stream.Read(ctx, from)
	return forgingReader{r, f}, err
}

func (r forgingReader) Next(ctx context.Context, limit int) ([]entry.Message, error) {
	list, err := r.Reader.Next(ctx, limit)
	list = slices.Clone(list)
	for i := range list {
		list[i].Header = maps.Clone(list[i].Header)
		r.of.change(&list[i])
	}
	return list, err
}

// TestNoProofs: what cannot be proven from what was read is not proven; the receipt stays as it is
// without proof=1.
func TestNoProofs(t *testing.T) {
	for name, change := range map[string]func(m *entry.Message){
		"a leaf altered": func(m *entry.Message) {
			m.Data = bytes.Replace(m.Data, []byte(`"event_type":"tool_`), []byte(`"event_type":"toll_`), 1)
		},
		"a frontier altered": func(m *entry.Message) {
			f := m.Header["Sealstream-Frontier"][0]
			m.Header["Sealstream-Frontier"] = []string{strings.Repeat("0", 64) + f[64:]}
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := store.NewMemory("default")
			w := startSealer(t, log)
			mine := *log
			mine.Sealed = &forging{log.Sealed, change}
			w.run(t, ingest.Config{Log: &mine, Keys: []string{w.vkey}})
			for i := range 3 {
				got := w.postProved(t, "["+event(fmt.Sprint(i))+"]")
				if len(got.Proofs) != 0 || got.Receipts[0].Status != api.Sealed || got.Receipts[0].Checkpoint == "" {
					t.Errorf("%d: %+v", i, got)
				}
			}
		})
	}
}

// dark is PAYLOADS that nothing can be read from.
type dark struct {
	store.Stream
	reads  int
	onRead func()
}

func (d *dark) Get(context.Context, uint64) (entry.Message, error) {
	d.reads++
	d.onRead()
	return entry.Message{}, errors.New("dark")
}

// TestSaltsInTime: an answer does not wait for further salts once the request is over.
func TestSaltsInTime(t *testing.T) {
	l := logtest.New(t, store.NewMemory(logtest.Name), func(c *sealer.Config) { c.MaxEntries = 3 })
	l.Run("sealer", l.Sealer().Run)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	mine, payloads := *l.Store, &dark{Stream: l.Store.Payloads, onRead: end}
	mine.Payloads = payloads
	w := &world{log: l.Store, vkey: l.Key}
	w.run(t, ingest.Config{Log: &mine})
	w.postProved(t, "["+bare("first")+"]")
	var list []string
	for i := range 20 {
		list = append(list, event(fmt.Sprint(i)))
	}
	_, raw := w.ingest.Request(ctx, entry.Message{
		Subject: "audit." + logtest.Name + ".submit." + subject.AgentToken("did:web:a.example"),
		Data:    []byte("[" + strings.Join(list, ",") + "]"),
		Header:  entry.Header{"Sealstream-Wait": {"sealed"}, "Sealstream-Proof": {"1"}},
	})
	var got api.Receipts
	if err := json.Unmarshal(raw, &got); err != nil || len(got.Proofs) < 3 || payloads.reads != 1 {
		t.Errorf("%d proofs, %d reads for salts: %v", len(got.Proofs), payloads.reads, err)
	}
}

// TestProofsMember: an answer for which proofs were asked says so, also if it has none (SPEC 8.1).
func TestProofsMember(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	w.postProved(t, "["+event("x")+"]")
	repeat := []byte("[" + event("x") + "]")
	text := postBatch(w.ingest.Handler(), "?wait=sealed&proof=1", repeat).Body.String()
	if !strings.Contains(text, `"proofs":[]`) {
		t.Errorf("over HTTP: %s", text)
	}
	m := entry.Message{
		Subject: "audit.default.submit." + subject.AgentToken("did:web:a.example"), Data: repeat,
		Header: entry.Header{"Sealstream-Wait": {"sealed"}, "Sealstream-Proof": {"1"}},
	}
	if _, raw := w.ingest.Request(t.Context(), m); !strings.Contains(string(raw), `"proofs":[]`) {
		t.Errorf("over NATS: %s", raw)
	}
	delete(m.Header, "Sealstream-Proof")
	if _, raw := w.ingest.Request(t.Context(), m); strings.Contains(string(raw), `"proofs"`) {
		t.Errorf("not asked for: %s", raw)
	}
}

// TestProofParameter: proof=1 must be asked for in the right place, in both ways of asking.
func TestProofParameter(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	for query, field := range map[string]string{
		"?proof=1": "proof", "?wait=stored&proof=1": "proof", "?wait=sealed&proof=2": "proof",
		"?wait=sealed&proof=1&proof=1": "proof", "?wait=sealed&proof=": "proof", "?wait=stored&proof=0": "",
	} {
		r := w.post(t, "/v1/events"+query, structured, event("x"))
		if want := map[bool]int{true: 400, false: 200}[field != ""]; r.status != want || r.Problem.Field != field {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	const agent = "did:web:a.example"
	for proofs, code := range map[string]string{"1": "", " 1 ": "", "0": "", "": "", "2": "400", "yes": "400"} {
		m := entry.Message{
			Subject: "audit.default.submit." + subject.AgentToken(agent), Data: []byte(event("n-" + proofs)),
			Header: entry.Header{"sealstream-wait": {"sealed"}, "sealstream-PROOF": {proofs}},
		}
		h, raw := w.ingest.Request(t.Context(), m)
		if h.Get("Nats-Service-Error-Code") != code {
			t.Errorf("%q: %v %s", proofs, h, raw)
		}
		var got api.Receipts
		if err := json.Unmarshal(raw, &got); code == "" && err != nil {
			t.Errorf("%q: %v", proofs, err)
		}
		if code == "" && checkProofs(t, w, got) > 0 != (strings.TrimSpace(proofs) == "1") {
			t.Errorf("%q: %s", proofs, raw)
		}
	}
}

// TestLongProvedAnswer: an answer that would be too long for a NATS message comes without proofs.
func TestLongProvedAnswer(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	const agent = "did:web:a.example"
	w.postProved(t, "["+event("first")+"]")
	long := strings.Repeat(`"`, 3000)
	for extra, proven := range map[string]bool{"": true, long: false} {
		var list []string
		for i := range 200 {
			quoted, _ := json.Marshal(extra + ".")
			list = append(list, strings.Replace(event(fmt.Sprint(len(extra), "-", i)), "{", `{"subject":`+string(quoted)+`,`, 1))
		}
		m := entry.Message{
			Subject: "audit.default.submit." + subject.AgentToken(agent), Data: []byte("[" + strings.Join(list, ",") + "]"),
			Header: entry.Header{"Sealstream-Wait": {"sealed"}, "Sealstream-Proof": {"1"}},
		}
		_, raw := w.ingest.Request(t.Context(), m)
		var got api.Receipts
		if err := json.Unmarshal(raw, &got); err != nil || len(got.Receipts) != 200 || len(raw) > 1<<20 {
			t.Fatalf("%d bytes, %.300s: %v", len(raw), raw, err)
		}
		if n := checkProofs(t, w, got); (n == 200) != proven || n != 0 && !proven {
			t.Errorf("%d entries are proven", n)
		}
	}
}
