package conformance_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/redact"
)

// The vectors of rules 4 are made by Python scripts, which share no code with this project.

// rules4 reads a file of these vectors.
func rules4[T any](t *testing.T, file string) (v T) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(vectorDir, "rules4", file))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

func TestVectorsRules4Leaves(t *testing.T) {
	v := rules4[struct {
		Cases []struct {
			Name, Why, Leaf string
			OK              bool
			EntryHash       string `json:"entry_hash"`
		}
	}](t, "leaves.json")
	for _, c := range v.Cases {
		e, err := entry.ParseEntry([]byte(c.Leaf))
		if (err == nil) != c.OK {
			t.Errorf("%s: %v, want ok %t (%s)", c.Name, err, c.OK, c.Why)
		}
		if err == nil && (e.EntryHash.String() != c.EntryHash || !e.Verify()) {
			t.Errorf("%s: %s, want %s; %t", c.Name, e.EntryHash, c.EntryHash, e.Verify())
		}
	}
}

func TestVectorsRules4Events(t *testing.T) {
	v := rules4[struct {
		Cases []struct {
			Name, Event, Leaf3, Leaf4, Fingerprint3, Fingerprint4 string
			Redaction                                             json.RawMessage
		}
	}](t, "events.json")
	for _, c := range v.Cases {
		for rules, want := range map[uint64][2]string{3: {c.Leaf3, c.Fingerprint3}, 4: {c.Leaf4, c.Fingerprint4}} {
			set := redactionOf(t, c.Redaction)
			place, err := entry.ParseEntry([]byte(want[0]))
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			ev, err := entry.ParseEvent([]byte(c.Event))
			if err == nil {
				err = ev.By(rules)
			}
			if err == nil && set != nil {
				err = ev.Redact(set, []byte(c.Event))
			}
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
				continue
			}
			d := draft.Event(draft.Source{
				Log: place.Log, Secret: vectorSecret, Epoch: place.InputEpoch, Seq: place.InputSeq,
				Position: place.Position, ReceivedAt: place.ReceivedAt, Publisher: place.Publisher, Rules: rules,
			}, ev)
			e := d.SealEntry(place.Index, place.PreviousHash)
			equal(t, fmt.Sprint(c.Name, " under rules ", rules), string(e.Leaf), want[0])
			equal(t, c.Name+": fingerprint", d.Fingerprint().String(), want[1])
			equal(t, c.Name+": fingerprint of the leaf", place.Fingerprint().String(), want[1])
		}
	}
}

// redactionOf compiles the redaction of a config.
func redactionOf(t *testing.T, raw json.RawMessage) *redact.Set {
	t.Helper()
	if raw == nil {
		return nil
	}
	var r struct {
		Set      uint64
		Patterns []struct{ Kind, Match, Contains string }
		Names    []redact.Name
		Private  []string `json:"private_fields"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	rules := redact.Rules{Set: r.Set, Names: r.Names, Private: r.Private}
	for _, p := range r.Patterns {
		rules.Rules = append(rules.Rules, redact.Pattern{Kind: p.Kind, Match: p.Match, Contains: p.Contains})
	}
	set, err := redact.Compile(&rules)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestVectorsRules4Sizes(t *testing.T) {
	v := rules4[struct {
		Cases []struct {
			Name       string
			Attributes [][2]blob
			Measure    int
			OK         bool
		}
	}](t, "sizes.json")
	for _, c := range v.Cases {
		members := map[string]string{}
		for _, a := range c.Attributes {
			members[string(a[0])] = string(a[1])
		}
		raw, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := entry.ParseEvent(raw)
		if err == nil {
			err = ev.By(ruleset.Blinding)
		}
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if err := ev.Fits(ruleset.Blinding); (err == nil) != c.OK ||
			err != nil && !strings.Contains(err.Error(), fmt.Sprintf("up to %d bytes", c.Measure)) {
			t.Errorf("%s: %v, want %d bytes, ok %t", c.Name, err, c.Measure, c.OK)
		}
	}
}

func TestVectorsRules4Values(t *testing.T) {
	type value struct {
		Name, Secret, Kind, Whole, Source, ID, Salt, Digest, Blind string
		InputEpoch                                                 uint64 `json:"input_epoch"`
		InputSeq                                                   uint64 `json:"input_seq"`
		Position                                                   uint64
		EntryID                                                    string `json:"entry_id"`
		InputDigest                                                string `json:"input_digest"`
		RecordHash                                                 string `json:"record_hash"`
		ActionSalt                                                 string `json:"action_salt"`
		Dssematerial                                               string
	}
	v := rules4[map[string][]value](t, "values.json")
	src := func(c value) draft.Source {
		return draft.Source{
			Log: "default", Origin: "o", Secret: unhex(t, c.Secret), Epoch: c.InputEpoch, Seq: c.InputSeq, Position: c.Position,
			ReceivedAt: "2026-12-01T08:00:00.000000000Z", Rules: ruleset.Blinding,
		}
	}
	for _, c := range v["blind"] {
		d := draft.Own(src(c), ruleset.OwnPrefix+c.Kind, nil)
		if c.Kind == "event" {
			d = draft.Event(src(c), entry.Event{ID: "1", Source: "s", Type: "t", EventType: "t"})
		}
		equal(t, "blind of "+c.Name, d.SealEntry(1, entry.Hash{}).Blind, c.Blind)
	}
	for _, c := range v["beside_salt"] {
		ev := entry.Event{ID: c.ID, Source: c.Source, Type: "t", EventType: "t", Extensions: map[string]string{}}
		for name, text := range map[string]string{"actionsalt": c.ActionSalt, "dssematerial": c.Dssematerial} {
			if text != "" {
				ev.Extensions[name] = text
			}
		}
		d := draft.Event(src(c), ev)
		_, p := d.Seal(1, entry.Hash{})
		equal(t, "beside salt of "+c.Name, hex.EncodeToString(p.Salt[:]), c.Salt)
	}
	for _, c := range v["input_digest"] {
		digest := draft.InputDigest(unhex(t, c.Secret), ruleset.Blinding, hash(t, c.Digest))
		equal(t, "input digest", digest.String(), c.InputDigest)
		equal(t, "older input digest", draft.InputDigest(nil, ruleset.Binding, hash(t, c.Digest)).String(), c.Digest)
	}
	for _, c := range v["record_hash"] {
		p := entry.Payload{Salt: hash(t, c.Salt), ActionSalt: c.ActionSalt, Material: c.Dssematerial}
		equal(t, "record_hash of "+c.Name, p.RecordHash().String(), c.RecordHash)
	}
	if len(v["own_salt"]) == 0 || len(v) != 5 { // the logs have own salts in all their uses
		t.Error("values.json has other lists")
	}
}

func rules4Logs(t *testing.T) eventVectors { return rules4[eventVectors](t, "logs.json") }

// TestVectorsRules4Wrong audits the logs as they are, and as a sealer would have made them that
// states something else.
func TestVectorsRules4Wrong(t *testing.T) {
	v := rules4Logs(t)
	logs := map[string]eventCase{}
	for _, c := range v.Cases {
		logs[c.Name] = c
		if err := c.audit(t, v, nil, nil, nil); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	wrong := rules4[struct {
		Cases []struct {
			Name, Log, Why string
			Changes        struct {
				Index   int
				Members map[string]any
			}
			Missing       []uint64
			Records       map[uint64]string
			FirstBadIndex uint64 `json:"first_bad_index"`
		}
	}](t, "wrong.json")
	for _, w := range wrong.Cases {
		err := logs[w.Log].audit(t, v, map[int]map[string]any{w.Changes.Index: w.Changes.Members}, w.Missing, w.Records)
		bad, ok := err.(*audit.MismatchError)
		if !ok || bad.Index != w.FirstBadIndex || audit.KindOf(err) != audit.KindAltered {
			t.Errorf("%s: %v, want index %d (%s)", w.Name, err, w.FirstBadIndex, w.Why)
		}
	}
}

// audit audits the whole export of a log with other members and records.
func (c eventCase) audit(
	t *testing.T, v eventVectors, changes map[int]map[string]any, missing []uint64, records map[uint64]string,
) error {
	t.Helper()
	data := map[uint64]entry.Payload{}
	for _, raw := range c.Payloads {
		p, err := entry.ParsePayload([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		data[p.Index] = p
	}
	for index, raw := range records {
		p, err := entry.ParsePayload([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		data[index] = p
	}
	for _, index := range missing {
		delete(data, index)
	}
	var leaves []string
	for i, leaf := range c.Leaves {
		leaves = append(leaves, rewritten(t, string(leaf), changes[i], leaves))
	}
	return c.auditExport(t, v, leaves, data)
}

// rewritten changes members of a leaf, and chains it to the leaves before it.
func rewritten(t *testing.T, leaf string, change map[string]any, before []string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(leaf))
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		t.Fatal(err)
	}
	if len(before) > 0 {
		members["previous_hash"] = entry.LeafHash([]byte(before[len(before)-1])).String()
	}
	for name, value := range change {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(members); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (c eventCase) auditExport(t *testing.T, v eventVectors, leaves []string, data map[uint64]entry.Payload) error {
	t.Helper()
	var frontier merkle.Frontier
	for _, leaf := range leaves {
		frontier.Append(entry.LeafHash([]byte(leaf)))
	}
	note, err := vectorKey(t, "log.example", "default", 7).Sign(frontier.Size(), frontier.Root(), v.VKey)
	if err != nil {
		t.Fatal(err)
	}
	root, last := frontier.Root().String(), uint64(len(leaves)-1)
	first := uint64(0)
	manifest, err := json.Marshal(proof.Manifest{
		Export: 1, Log: v.Log, Origin: v.Origin, Count: frontier.Size(), First: &first, Last: &last,
		Size: frontier.Size(), Root: root, Checkpoint: string(note), Filters: map[string][]string{},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := [][]byte{manifest}
	for i, leaf := range leaves {
		l := proof.ExportLine{Leaf: []byte(leaf)}
		if p, ok := data[uint64(i)]; ok {
			l.Payload = &p
		}
		line, err := l.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	_, err = audit.Export(audit.Config{Keys: []string{v.VKey}}, func(yield func([]byte, error) bool) {
		for _, line := range lines {
			if !yield(line, nil) {
				return
			}
		}
	})
	return err
}
