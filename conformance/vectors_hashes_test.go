package conformance_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// hashVectors is hashes.json.
type hashVectors struct {
	LeafHash          []leafHashCase    `json:"leaf_hash"`
	NodeHash          []nodeHashCase    `json:"node_hash"`
	Roots             []rootCase        `json:"roots"`
	DataHash          []dataHashCase    `json:"data_hash"`
	DerivedSalt       []derivedSaltCase `json:"derived_salt"`
	RejectedSalt      []rejectedCase    `json:"rejected_salt"`
	SecretFingerprint []secretCase      `json:"secret_fingerprint"`
	AgentToken        []tokenCase       `json:"agent_token"`
	OwnID             []ownIDCase       `json:"own_id"`
	MessageDigest     []digestCase      `json:"message_digest"`
	Fingerprint       []fingerprintCase `json:"fingerprint"`
	Origin            []originCase      `json:"origin"`
	Strings           []stringCase      `json:"strings"`
}

type (
	leafHashCase struct {
		Name string `json:"name"`
		Leaf blob   `json:"leaf"`
		Hash string `json:"hash"`
	}
	nodeHashCase struct {
		Name  string `json:"name"`
		Left  string `json:"left"`
		Right string `json:"right"`
		Hash  string `json:"hash"`
	}
	rootCase struct {
		Name string `json:"name"`
		Size int    `json:"size"`
		Root string `json:"root"`
	}
	dataHashCase struct {
		Name string `json:"name"`
		Salt string `json:"salt"`
		Data blob   `json:"data"`
		Hash string `json:"hash"`
	}
	derivedSaltCase struct {
		Name   string `json:"name"`
		Secret string `json:"secret"`
		Source string `json:"source"`
		ID     string `json:"id"`
		Data   blob   `json:"data"`
		Salt   string `json:"salt"`
	}
	rejectedCase struct {
		Name    string `json:"name"`
		Secret  string `json:"secret"`
		EntryID string `json:"entry_id"`
		Whole   blob   `json:"whole"`
		Salt    string `json:"salt"`
		Digest  string `json:"digest"`
	}
	secretCase struct {
		Name        string `json:"name"`
		Secret      string `json:"secret"`
		Fingerprint string `json:"fingerprint"`
	}
	tokenCase struct {
		Name   string `json:"name"`
		Source string `json:"source"`
		Token  string `json:"token"`
	}
	ownIDCase struct {
		Name       string `json:"name"`
		Log        string `json:"log"`
		InputEpoch uint64 `json:"input_epoch"`
		InputSeq   uint64 `json:"input_seq"`
		Position   uint64 `json:"position"`
		Kind       string `json:"kind"`
		EntryID    string `json:"entry_id"`
	}
	digestCase struct {
		Name    string `json:"name"`
		Subject string `json:"subject"`
		Headers header `json:"headers"`
		Body    blob   `json:"body"`
		Digest  string `json:"digest"`
	}
	fingerprintCase struct {
		Name        string `json:"name"`
		Leaf        string `json:"leaf"`
		Fingerprint string `json:"fingerprint"`
	}
	originCase struct {
		Name      string `json:"name"`
		Host      string `json:"host"`
		Log       string `json:"log"`
		PublicKey string `json:"public_key"`
		Origin    string `json:"origin"`
		VKey      string `json:"vkey"`
	}
	stringCase struct {
		Name      string `json:"name"`
		Text      string `json:"text"`
		Canonical string `json:"canonical"`
	}
)

// The formulas of SPEC, written down once more and without the packages: a mistake would have to be made twice.

func sha(parts ...any) []byte { return feed(sha256.New(), parts) }

func mac(key []byte, parts ...any) []byte { return feed(hmac.New(sha256.New, key), parts) }

func feed(h interface {
	Write([]byte) (int, error)
	Sum([]byte) []byte
}, parts []any) []byte {
	for _, p := range parts {
		fmt.Fprintf(h, "%s", p)
	}
	return h.Sum(nil)
}

func lp[T ~string | ~[]byte](x T) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(x)))) + string(x)
}

func naiveRoot(leaves [][]byte) []byte {
	switch n := len(leaves); n {
	case 0:
		return sha("")
	case 1:
		return sha("\x00", leaves[0])
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		return sha("\x01", naiveRoot(leaves[:k]), naiveRoot(leaves[k:]))
	}
}

func vectorLeaves(n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = fmt.Appendf(nil, "leaf %d", i)
	}
	return list
}

func uuid5(namespace, name string) string {
	ns, err := hex.DecodeString(strings.ReplaceAll(namespace, "-", ""))
	if err != nil {
		panic(err)
	}
	h := sha1.Sum(append(ns, name...))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	x := hex.EncodeToString(h[:16])
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}

const ownNamespace = "6f8f8e0e-6f0c-5c0e-9d0a-7365616c7374"

func makeHashes() hashVectors {
	v, x, secret := hashVectors{}, hex.EncodeToString, vectorSecret
	for _, c := range [][2]string{
		{"empty", ""}, {"leaf 0", "leaf 0"}, {"object", `{"a":"b"}`}, {"not UTF-8", "\xff\x00\xfe"},
	} {
		v.LeafHash = append(v.LeafHash, leafHashCase{c[0], blob(c[1]), x(sha("\x00", c[1]))})
	}
	a, b := sha("\x00", "leaf 0"), sha("\x00", "leaf 1")
	v.NodeHash = append(v.NodeHash, nodeHashCase{"two leaves", x(a), x(b), x(sha("\x01", a, b))}, nodeHashCase{
		"swapped", x(b), x(a), x(sha("\x01", b, a)),
	})
	for n := range 18 {
		v.Roots = append(v.Roots, rootCase{fmt.Sprintf("size %d", n), n, x(naiveRoot(vectorLeaves(n)))})
	}
	salt := sha("salt")
	for _, c := range [][2]string{
		{"JSON", `{"tool":"search","n":9007199254740993}`}, {"no bytes", ""}, {"not UTF-8", "\x00\xff"},
		{"null", "null"},
	} {
		v.DataHash = append(v.DataHash, dataHashCase{c[0], x(salt), blob(c[1]), x(sha("\x02", salt, c[1]))})
	}
	for _, c := range [][4]string{{"plain", "did:mesh:alice", "1", `{"a":1}`}, {
		"lengths part the fields", "did:mesh:alice1", "", `{"a":1}`,
	},
		{"no bytes", "did:mesh:alice", "1", ""}, {"not ASCII", "did:mesh:ältere-Agentin", "ид-1", "\xff"}} {
		v.DerivedSalt = append(v.DerivedSalt, derivedSaltCase{c[0], x(secret), c[1], c[2], blob(c[3]),
			x(mac(secret, lp(c[1]), lp(c[2]), lp(sha(c[3]))))})
	}
	id := uuid5(ownNamespace, "default/1/7/0/rejected")
	for _, c := range [][2]string{{"text", "not JSON"}, {"not UTF-8", "\xff\xfe"}} {
		salt := mac(secret, lp("sealstream.rejected"), lp(id), lp(sha(c[1])))
		v.RejectedSalt = append(v.RejectedSalt, rejectedCase{
			c[0], x(secret), id, blob(c[1]), x(salt), x(sha("\x02", salt, c[1])),
		})
	}
	for _, c := range [][]byte{secret, make([]byte, 32)} {
		v.SecretFingerprint = append(v.SecretFingerprint, secretCase{
			fmt.Sprintf("last byte %d", c[31]), x(c), x(mac(c, "sealstream/v1/secret")[:16]),
		})
	}
	for _, c := range []string{"did:mesh:alice", "https://agents.example/ältere", "a.b.*.>"} {
		v.AgentToken = append(v.AgentToken, tokenCase{
			c, c, strings.ToLower(base32.StdEncoding.EncodeToString(sha(c))[:26]),
		})
	}
	for _, c := range []ownIDCase{{
		Name: "config", Log: "default", InputEpoch: 1, InputSeq: 1, Kind: "config",
	}, {Name: "duplicate", Log: "a-log-2", InputEpoch: 3, InputSeq: 4711,
		Position: 256, Kind: "duplicate"}} {
		c.EntryID = uuid5(ownNamespace,
			fmt.Sprintf("%s/%d/%d/%d/%s", c.Log, c.InputEpoch, c.InputSeq, c.Position, c.Kind))
		v.OwnID = append(v.OwnID, c)
	}
	v.MessageDigest, v.Fingerprint, v.Strings = makeDigests(), makeFingerprints(), makeStrings()
	for i, c := range [][2]string{{"sealstream.example", "default"}, {"localhost", "a-log-2"}} {
		pub := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, 32)).Public().(ed25519.PublicKey)
		origin := c[0] + "/" + c[1] + "/" + x(sha([]byte(pub))[:4])
		keyID := x(sha(origin, "\n", "\x01", []byte(pub))[:4])
		v.Origin = append(v.Origin, originCase{c[0], c[0], c[1], x(pub), origin,
			origin + "+" + keyID + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, pub...))})
	}
	return v
}

func makeDigests() (list []digestCase) {
	for _, c := range []digestCase{
		{Name: "no headers", Subject: "audit.default.control", Headers: header{}, Body: blob("{}")},
		{Name: "headers", Subject: "audit.default.events.open", Headers: header{{"ce-type", "b"}, {"ce-id", "1"}, {"Content-Type", "text/plain"}, {"Ce-Id", "2"}}, Body: blob("\xff")},
		{Name: "a header twice", Subject: "audit.default.events.open", Headers: header{{"x", "2"}, {"a", ""}, {"x", "1"}}, Body: blob("")},
	} {
		parts := []any{lp(c.Subject), lp(c.Body)}
		sorted := slices.Clone(c.Headers)
		slices.SortStableFunc(sorted, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
		for _, h := range sorted {
			parts = append(parts, lp(h[0]), lp(h[1]))
		}
		c.Digest = hex.EncodeToString(sha(parts...))
		list = append(list, c)
	}
	return list
}

// makeFingerprints spells out what SPEC 5.8 hashes.
func makeFingerprints() []fingerprintCase {
	h := strings.Repeat("ab", 32)
	at := `"index":7,"input_epoch":1,"input_seq":3,"log":"default",`
	rest := `"position":0,"previous_hash":"` + h + `","publisher":"ci","received_at":"2026-11-24T08:30:00.000000000Z"`
	return []fingerprintCase{
		{"event", `{"action":"allow","agent_did":"did:mesh:alice","cloudevent_type":"x.y","data_hash":"` + h + `","entry_id":"1","event_type":"x.y",` + at + rest +
			`,"timestamp":"2026-11-24T08:29:59.5Z","v":1}`,
			hex.EncodeToString(sha(`{"action":"allow","agent_did":"did:mesh:alice","cloudevent_type":"x.y","data_hash":"` + h +
				`","entry_id":"1","event_type":"x.y","timestamp":"2026-11-24T08:29:59.5Z"}`))},
		{"timestamp that is received_at", `{"agent_did":"did:mesh:alice","cloudevent_type":"x.y","entry_id":"1","event_type":"x.y",` + at + rest +
			`,"redactions":[{"kind":"email","path":"/data/a"}],"timestamp":"2026-11-24T08:30:00.000000000Z","v":1}`,
			hex.EncodeToString(sha(`{"agent_did":"did:mesh:alice","cloudevent_type":"x.y","entry_id":"1","event_type":"x.y"}`))},
		{"equivocation", `{"agent_did":"did:mesh:alice","cloudevent_type":"x.y","detail":{"entry_id":"1","event_type":"x.y","original":3},"entry_id":"` +
			uuid5(ownNamespace, "default/1/3/0/equivocation") + `","event_type":"sealstream.equivocation",` + at + rest + `,"timestamp":"2026-11-24T08:30:00.000000000Z","v":1}`,
			hex.EncodeToString(sha(`{"agent_did":"did:mesh:alice","cloudevent_type":"x.y","entry_id":"1","event_type":"x.y"}`))},
	}
}

func makeStrings() []stringCase {
	return []stringCase{
		{"empty", "", `""`}, {"plain", "a b", `"a b"`}, {"quote and backslash", `"\`, `"\"\\"`}, {"slash is not escaped", "</a>", `"</a>"`},
		{"short escapes", "\b\t\n\f\r", `"\b\t\n\f\r"`}, {"other controls", "\x00\x01\x1f", `"\u0000\u0001\u001f"`},
		{"DEL is not escaped", "\x7f\u0080", "\"\x7f\u0080\""}, {"U+2028 is not escaped", "\u2028\u2029", "\"\u2028\u2029\""},
		{"HTML is not escaped", "<&>'", `"<&>'"`}, {"beyond the BMP", "😂דּ", `"😂דּ"`}, {"not normalised", "e\u0301é", "\"e\u0301é\""},
	}
}

func TestVectorsHashes(t *testing.T) {
	v := vectors(t, "hashes.json", makeHashes())
	for _, c := range v.LeafHash {
		equal(t, "leaf_hash "+c.Name, entry.LeafHash(c.Leaf).String(), c.Hash)
	}
	for _, c := range v.NodeHash {
		equal(t, "node_hash "+c.Name, merkle.PerfectRoot([]entry.Hash{hash(t, c.Left), hash(t, c.Right)}).String(),
			c.Hash)
	}
	for _, c := range v.Roots {
		var f merkle.Frontier
		for _, leaf := range vectorLeaves(c.Size) {
			f.Append(entry.LeafHash(leaf))
		}
		equal(t, "roots "+c.Name, f.Root().String(), c.Root)
	}
	for _, c := range v.DataHash {
		equal(t, "data_hash "+c.Name, entry.Hash(entry.DataHash(hash(t, c.Salt), c.Data)).String(), c.Hash)
	}
	for _, c := range v.DerivedSalt {
		equal(t, "derived_salt "+c.Name,
			entry.Hash(draft.DeriveSalt(unhex(t, c.Secret), c.Source, c.ID, c.Data)).String(), c.Salt)
	}
	for _, c := range v.RejectedSalt {
		d := draft.Rejected(draft.Source{Log: "default", Origin: "o", Secret: unhex(t, c.Secret), Epoch: 1, Seq: 7,
			ReceivedAt: "2026-11-24T08:30:00.000000000Z"},
			fmt.Errorf("why"), c.Whole, "audit.default.events.open")
		e, p := d.Seal(1, entry.Hash{})
		equal(t, "rejected_salt "+c.Name, e.EntryID, c.EntryID)
		equal(t, "rejected_salt "+c.Name, entry.Hash(p.Salt).String(), c.Salt)
		equal(t, "rejected_salt "+c.Name, e.Detail.(*entry.Rejected).Digest, c.Digest)
	}
	for _, c := range v.SecretFingerprint {
		equal(t, "secret_fingerprint "+c.Name, draft.SecretFingerprint(unhex(t, c.Secret)), c.Fingerprint)
	}
	for _, c := range v.AgentToken {
		equal(t, "agent_token "+c.Name, subject.AgentToken(c.Source), c.Token)
	}
	for _, c := range v.OwnID {
		e := entry.Entry{
			Log: c.Log, InputEpoch: c.InputEpoch, InputSeq: c.InputSeq, Position: c.Position,
			EventType: ruleset.OwnPrefix + c.Kind,
		}
		equal(t, "own_id "+c.Name, e.OwnID(), c.EntryID)
	}
	for _, c := range v.MessageDigest {
		equal(t, "message_digest "+c.Name, c.Headers.message(c.Subject, c.Body).Digest().String(), c.Digest)
	}
	for _, c := range v.Fingerprint {
		e, err := entry.ParseEntry([]byte(c.Leaf))
		if err != nil {
			t.Errorf("fingerprint %s: %v", c.Name, err)
		}
		equal(t, "fingerprint "+c.Name, e.Fingerprint().String(), c.Fingerprint)
	}
	for _, c := range v.Origin {
		equal(t, "origin "+c.Name, proof.Origin(c.Host, c.Log, unhex(t, c.PublicKey)), c.Origin)
		signer := vectorKey(t, c.Host, c.Log, byte(1+slices.Index(v.Origin, c)))
		equal(t, "origin "+c.Name, signer.VerifierKey(), c.VKey)
	}
	for _, c := range v.Strings {
		equal(t, "strings "+c.Name, string(canonical.AppendString(nil, c.Text)), c.Canonical)
	}
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func hash(t *testing.T, s string) entry.Hash {
	t.Helper()
	h, err := entry.ParseHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
