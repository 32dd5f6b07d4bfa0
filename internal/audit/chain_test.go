package audit_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestChainFollowsTheLog: a generated log is good, gives back its entries, and can be resumed
// behind each of its batches.
func TestChainFollowsTheLog(t *testing.T) {
	for seed := range uint64(8) {
		w := generated(t, seed, 120)
		c := audit.NewChain(w.signer.VerifierKey())
		var got []entry.Entry
		for i, m := range w.sealed {
			entries, err := c.Next(m)
			if err != nil {
				t.Fatalf("seed %d, message %d: %v", seed, i, err)
			}
			got = append(got, entries...)
			if c.Size() != uint64(len(got)) || c.LastHash() != got[len(got)-1].EntryHash {
				t.Fatalf("seed %d, message %d: size %d", seed, i, c.Size())
			}
			if i%7 == 0 {
				resume(t, w, i)
			}
		}
		if !reflect.DeepEqual(got, w.entries) {
			t.Errorf("seed %d: other entries than were written", seed)
		}
		if f := c.Frontier(); f.Root() != w.frontier.Root() || c.Origin() != w.signer.Origin() {
			t.Errorf("seed %d: root or origin", seed)
		}
		if config, ok := c.Config(); !ok || config.Index != 0 {
			t.Errorf("seed %d: config %+v", seed, config)
		}
	}
}

// resume goes on behind message i, and must find the rest as good.
func resume(t *testing.T, w *writer, i int) {
	t.Helper()
	b, err := sealedlog.ParseBatch(w.sealed[i])
	if err != nil {
		t.Fatal(err)
	}
	c, err := audit.ResumeChain(b, b.Leaves[len(b.Leaves)-1], w.signer.VerifierKey())
	if err != nil {
		t.Fatalf("resume behind message %d: %v", i, err)
	}
	for j, m := range w.sealed[i+1:] {
		if _, err := c.Next(m); err != nil {
			t.Fatalf("resumed behind message %d, message %d: %v", i, i+1+j, err)
		}
	}
	if f := c.Frontier(); f.Root() != w.frontier.Root() {
		t.Fatalf("resumed behind message %d: another root", i)
	}
}

func TestResumeRefuses(t *testing.T) {
	w := generated(t, 3, 40)
	parse := func(i int) sealedlog.Batch {
		b, err := sealedlog.ParseBatch(w.sealed[i])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key := w.signer.VerifierKey()
	good := parse(5)
	last := good.Leaves[len(good.Leaves)-1]
	for name, c := range map[string]struct {
		change func(b *sealedlog.Batch)
		leaf   []byte
		keys   []string
	}{
		"no keys":          {func(*sealedlog.Batch) {}, last, nil},
		"another key":      {func(*sealedlog.Batch) {}, last, []string{signer(2).VerifierKey()}},
		"another leaf":     {func(*sealedlog.Batch) {}, w.entries[0].Leaf, []string{key}},
		"no leaf":          {func(*sealedlog.Batch) {}, nil, []string{key}},
		"another root":     {func(b *sealedlog.Batch) { b.Root = entry.Hash{} }, last, []string{key}},
		"another frontier": {func(b *sealedlog.Batch) { b.Frontier[0] = entry.Hash{} }, last, []string{key}},
		"a frontier less":  {func(b *sealedlog.Batch) { b.Frontier = b.Frontier[1:] }, last, []string{key}},
		"another size":     {func(b *sealedlog.Batch) { b.Size++ }, last, []string{key}},
		"checkpoint":       {func(b *sealedlog.Batch) { b.Checkpoint = parse(4).Checkpoint }, last, []string{key}},
	} {
		b := parse(5)
		c.change(&b)
		if _, err := audit.ResumeChain(b, c.leaf, c.keys...); err == nil {
			t.Errorf("%s: resumed", name)
		}
	}
	c, err := audit.ResumeChain(good, last, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(w.sealed[7]); !errors.Is(err, sealedlog.ErrVoid) {
		t.Errorf("a message is left out: %v", err)
	}
	if _, err := c.Next(w.sealed[5]); !errors.Is(err, sealedlog.ErrVoid) {
		t.Errorf("the same message again: %v", err)
	}
	if _, err := c.Next(w.sealed[6]); err != nil {
		t.Errorf("what is void leaves no trace: %v", err)
	}
}

// TestOpenedCheckpoints: a checkpoint that was opened ahead counts for the same keys and the same
// bytes, and for nothing else.
func TestOpenedCheckpoints(t *testing.T) {
	w := generated(t, 3, 40)
	key, other := w.signer.VerifierKey(), signer(2).VerifierKey()
	for name, c := range map[string]struct {
		parser, chain []string
		change        func(*sealedlog.Batch)
		good          bool
	}{
		"the same keys":                {[]string{key}, []string{key}, func(*sealedlog.Batch) {}, true},
		"opened with no key":           {nil, []string{key}, func(*sealedlog.Batch) {}, true},
		"opened with the config's key": {[]string{key}, nil, func(*sealedlog.Batch) {}, true},
		// and again with the right one
		"opened with another key":     {[]string{other}, []string{key}, func(*sealedlog.Batch) {}, true},
		"a chain of another key":      {[]string{key}, []string{other}, func(*sealedlog.Batch) {}, false},
		"another key of the parser's": {[]string{key, other}, []string{other}, func(*sealedlog.Batch) {}, false},
		"changed after it was opened": {[]string{key}, []string{key}, func(b *sealedlog.Batch) { b.Checkpoint = bytes.ToUpper(b.Checkpoint) }, false},
	} {
		parser, chain := audit.NewParser(c.parser...), audit.NewChain(c.chain...)
		p := parser.Parse(w.sealed[0])
		c.change(&p.Batch)
		if _, err := chain.Take(p); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := sealedlog.ParseBatch(w.sealed[5])
	if err != nil {
		t.Fatal(err)
	}
	opened, err := proof.OpenCheckpoint(b.Checkpoint, key)
	if err != nil {
		t.Fatal(err)
	}
	last := b.Leaves[len(b.Leaves)-1]
	if c, err := audit.ExtendChain(b, last, opened, key); err != nil {
		t.Error(err)
	} else if _, err := c.Next(w.sealed[6]); err != nil {
		t.Error(err)
	}
	if _, err := audit.ExtendChain(b, last, opened); err == nil {
		t.Error("extended without a key")
	}
	before, err := sealedlog.ParseBatch(w.sealed[4])
	if err != nil {
		t.Fatal(err)
	}
	if opened, err = proof.OpenCheckpoint(before.Checkpoint, key); err != nil {
		t.Fatal(err)
	}
	b.Checkpoint = nil
	opened.Size, opened.Root = b.Size, b.Root
	if _, err := audit.ExtendChain(b, last, opened, key); err == nil {
		t.Error("extended by a checkpoint that the batch does not have")
	}
}

// TestParsedEntries: behind a leaf that is none there are no entries, so that nobody takes an empty one for an entry.
func TestParsedEntries(t *testing.T) {
	w := generated(t, 3, 40)
	for _, m := range w.sealed {
		b, err := sealedlog.ParseBatch(m)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Leaves {
			leaves := slices.Clone(b.Leaves)
			leaves[i] = []byte(`{"v":1}`)
			m.Data = append(bytes.Join(leaves, []byte("\n")), '\n')
			if p := audit.Parse(m); len(p.Batch.Leaves) != len(leaves) || len(p.Entries) != i {
				t.Fatalf("leaf %d of %d is none: %d entries of %d leaves", i, len(leaves), len(p.Entries),
					len(p.Batch.Leaves))
			}
		}
	}
}

// TestBatchRoundTrip: Parse gives what Format wrote, and every header counts.
func TestBatchRoundTrip(t *testing.T) {
	w := generated(t, 4, 60)
	for _, m := range w.sealed {
		b, err := sealedlog.ParseBatch(m)
		if err != nil {
			t.Fatal(err)
		}
		h, body := b.Format()
		if !reflect.DeepEqual(h, m.Header) || !bytes.Equal(body, m.Data) || len(h) != 13 {
			t.Fatalf("written again: %v", h)
		}
		for name := range m.Header {
			for what, change := range map[string]func(v []string) []string{
				"missing": func([]string) []string { return nil }, "twice": func(v []string) []string { return append(slices.Clone(v), v...) },
				"with a zero in front": func(v []string) []string { return []string{"0" + v[0]} }, "with a space": func(v []string) []string { return []string{v[0] + " "} },
				"cut": func(v []string) []string { return []string{v[0][:len(v[0])-1]} },
			} {
				c := entry.Message{Header: maps.Clone(m.Header), Data: m.Data}
				c.Header[name] = change(c.Header[name])
				_, err := sealedlog.ParseBatch(c)
				switch {
				case errors.Is(err, sealedlog.ErrVoid), errors.Is(err, sealedlog.ErrVersion) &&
					name == "Sealstream-Version":
				case what == "cut" && cutIsAnother(name): // a digit less is a number too
				default:
					t.Errorf("%s %s: %v", name, what, err)
				}
			}
		}
		other := entry.Message{Header: maps.Clone(m.Header), Data: m.Data}
		other.Header["Sealstream-Later"] = []string{"x"}
		if _, err := sealedlog.ParseBatch(other); err != nil {
			t.Errorf("a header that is not known: %v", err)
		}
	}
	for name, m := range map[string]entry.Message{
		"nothing": {}, "no headers": {Data: w.sealed[0].Data}, "no body": {Header: w.sealed[0].Header},
		"empty lines": {Header: w.sealed[0].Header, Data: []byte("\n\n")},
	} {
		if _, err := sealedlog.ParseBatch(m); !errors.Is(err, sealedlog.ErrVoid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// cutIsAnother: headers of numbers, of which a digit less may be a number too.
func cutIsAnother(name string) bool {
	switch name {
	case "Sealstream-First", "Sealstream-Count", "Sealstream-Size", "Sealstream-Payloads", "Sealstream-Config",
		"Sealstream-Key", "Sealstream-Input":
		return true
	}
	return false
}

// TestNoChangedMessage: whatever byte of SEALED or PAYLOADS is changed, the audit does not come out
// as it did: the log is bad, or shorter because a message is void.
func TestNoChangedMessage(t *testing.T) {
	w := generated(t, 5, 40)
	key := w.signer.VerifierKey()
	good, err := w.audit(w.sealed, w.payloads, key)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(6, 6))
	for range 1500 {
		sealed, payloads := slices.Clone(w.sealed), slices.Clone(w.payloads)
		what := ""
		switch i := r.IntN(len(sealed)); r.IntN(3) {
		case 0:
			sealed[i].Data = flip(r, sealed[i].Data)
			what = "body"
		case 1:
			m := &sealed[i]
			m.Header = maps.Clone(m.Header)
			names := slices.Sorted(maps.Keys(m.Header))
			name := names[r.IntN(len(names))]
			m.Header[name] = []string{string(flip(r, []byte(m.Header[name][0])))}
			if what = name; name == "Sealstream-Input-Digest" || name == "Sealstream-Key" ||
				name == "Sealstream-Input-Time" {
				continue // of EVENTS, which is not here to compare
			}
		default:
			i := r.IntN(len(payloads))
			payloads[i] = flip(r, payloads[i])
			what = "payload"
		}
		if report, err := w.audit(sealed, payloads, key); err == nil && report.Size == good.Size &&
			report.Root == good.Root && report.Payloads == good.Payloads {
			t.Fatalf("a changed %s was not noticed: %+v", what, report)
		}
	}
}

func flip(r *rand.Rand, b []byte) []byte {
	c := slices.Clone(b)
	c[r.IntN(len(c))] ^= 1 << r.IntN(8)
	return c
}

// TestNoMovedMessage: messages that are left out, doubled or swapped.
func TestNoMovedMessage(t *testing.T) {
	w := generated(t, 7, 40)
	key := w.signer.VerifierKey()
	number := func(list []entry.Message) []entry.Message {
		for i := range list {
			list[i].Seq = uint64(i + 1)
		}
		return list
	}
	for i := range w.sealed {
		left := number(slices.Delete(slices.Clone(w.sealed), i, i+1))
		report, err := w.audit(left, w.payloads, key)
		if err == nil && report.Size >= uint64(len(w.entries)) {
			t.Errorf("message %d left out: %+v", i, report)
		}
		twice := number(slices.Insert(slices.Clone(w.sealed), i, w.sealed[i]))
		if report, err := w.audit(twice, w.payloads, key); err != nil ||
			!slices.Equal(report.Void, []uint64{uint64(i + 2)}) || report.Size != uint64(len(w.entries)) {
			t.Errorf("message %d twice: %+v, %v", i, report, err)
		}
		gap := slices.Delete(slices.Clone(w.sealed), i, i+1)
		if i == len(w.sealed)-1 {
			continue
		}
		b, err := sealedlog.ParseBatch(w.sealed[i])
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.audit(gap, w.payloads, key)
		if index, what := first(t, err); what != "missing" || index != b.First {
			t.Errorf("message %d missing: %v", i, err)
		}
	}
}
