package ingest

import (
	"encoding/json"
	"math"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
)

// texts are values that encoding/json writes in every way that it has.
var texts = []string{
	"", "a", "did:web:agent-1.example.com", "a\nb\n\n— example.com/log AbC+/=\n", `"`, `\`, "<&>", "\x00", "\x1f", "\x7f",
	"\t\r\b\f", "é", "\u2028", "\u2029", "\u2027\u202a", "\ufffd", "\xff", "a\xc3", "\U0001f600", "\xed\xa0\x80", "a<",
}

// marshaled is what a receipt was before it was written by hand.
func marshaled(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReceiptIsThatOfEncodingJSON: each member alone and all together, with each text. A member that is
// new in api.Receipt fails here until it is written.
func TestReceiptIsThatOfEncodingJSON(t *testing.T) {
	fill := func(v reflect.Value, text string, n uint64) {
		switch v.Kind() {
		case reflect.String:
			v.SetString(text)
		case reflect.Uint64:
			v.SetUint(n)
		case reflect.Pointer:
			if v.Type() == reflect.TypeFor[*int]() {
				v.Set(reflect.ValueOf(new(int(n >> 1))))
				return
			}
			v.Set(reflect.ValueOf(&api.Refusal{Field: text, Reason: text + "<"}))
		default:
			t.Fatalf("a receipt has a %v", v.Kind())
		}
	}
	check := func(r api.Receipt) {
		t.Helper()
		if got, want := string(appendReceipt(nil, &r)), marshaled(t, r); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
	for i, text := range texts {
		n := []uint64{0, 1, 10, math.MaxUint64}[i%4]
		var all api.Receipt
		for f := range reflect.TypeFor[api.Receipt]().NumField() {
			var one api.Receipt
			fill(reflect.ValueOf(&one).Elem().Field(f), text, n)
			check(one)
			fill(reflect.ValueOf(&all).Elem().Field(f), text, n)
		}
		check(all)
	}
}

func FuzzReceiptText(f *testing.F) {
	for _, s := range texts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendText(nil, s)), marshaled(t, s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	})
}

// TestAnswers: the receipts of a request, however many, and those of a NATS request.
func TestAnswers(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100, 1000} {
		list := make([]api.Receipt, n)
		for i := range list {
			list[i] = api.Receipt{
				EntryID: strconv.Itoa(i), AgentDID: "did:web:a<b", Status: api.Stored, InputSeq: uint64(i), Position: uint64(i),
			}
		}
		all := api.Receipts{Receipts: list}
		if n == 1 || n == 2 { // none of those asked for, or all
			all.Proofs = make([]proof.BatchProof, 2*(n-1))
		}
		want := marshaled(t, all)
		if got := string(formatReceipts(all)); got != want {
			t.Errorf("%d over NATS: %.200s", n, got)
		}
		w := httptest.NewRecorder()
		answerReceipts(w, all)
		if got := w.Body.String(); got != want+"\n" || w.Header().Get("Content-Type") != "application/json" ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%d over HTTP: %v %.200s", n, w.Header(), got)
		}
		if length := w.Header().Get("Content-Length"); length != "" && length != strconv.Itoa(w.Body.Len()) ||
			n <= 100 && length == "" {
			t.Errorf("%d over HTTP: a length of %q, and %d bytes", n, length, w.Body.Len())
		}
	}
}

// BenchmarkReceipts is the answer to one event that is stored, and to one that is sealed.
func BenchmarkReceipts(b *testing.B) {
	stored := api.Receipt{
		EntryID: "01890a5d-ac96-774b-bcce-000000000001", AgentDID: "did:web:agents.example.com:buyer", Status: api.Stored,
		InputSeq: 12345, Position: 17, Durability: "fsync",
	}
	sealed := stored
	sealed.Status, sealed.Index, sealed.EntryHash = api.Sealed, 1234567, strings.Repeat("0a", 32)
	sealed.Checkpoint = "bench.local/bench/0011aabb\n1234568\n" + strings.Repeat("A", 43) + "=\n\n" +
		"— bench.local/bench/0011aabb " + strings.Repeat("A", 90) + "\n"
	for name, r := range map[string]api.Receipt{"stored": stored, "sealed": sealed} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				buf = appendReceipt(buf[:0], &r)
			}
		})
	}
}
