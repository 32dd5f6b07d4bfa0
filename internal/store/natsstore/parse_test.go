package natsstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/store"
)

func TestParseAck(t *testing.T) {
	at := time.Unix(1795500000, 123456789).UTC()
	for reply, want := range map[string]*position{
		"$JS.ACK.EVENTS_x.C.1.42.7.1795500000123456789.3":                 {42, 7, at},
		"$JS.ACK._.HASH.EVENTS_x.C.1.42.7.1795500000123456789.3":          {42, 7, at},
		"$JS.ACK.domain.HASH.EVENTS_x.C.1.42.7.1795500000123456789.3.tok": {42, 7, at},
		"$JS.ACK.EVENTS_x.C.1.42.7.1795500000123456789":                   nil, // too short
		"$JS.ACK.EVENTS_x.C.1.-42.7.1795500000123456789.3":                nil,
		"$JS.ACK.EVENTS_x.C.1.42.seven.1795500000123456789.3":             nil,
		"$JS.ACK.EVENTS_x.C.1.42.7.99999999999999999999.3":                nil,
		"$JS.NAK.EVENTS_x.C.1.42.7.1795500000123456789.3":                 nil,
		"_INBOX.a.b.c.d.e.f.g.h":                                          nil,
		"":                                                                nil,
	} {
		got, err := parseAck(reply)
		if (err == nil) != (want != nil) || want != nil && got != *want {
			t.Errorf("%s: %+v, %v; want %+v", reply, got, err, want)
		}
	}
}

func FuzzParseAck(f *testing.F) {
	f.Add("$JS.ACK.EVENTS_x.C.1.42.7.1795500000123456789.3")
	f.Add("$JS.ACK.domain.HASH.EVENTS_x.C.1.42.7.1795500000123456789.3.tok")
	f.Fuzz(func(t *testing.T, reply string) {
		p, err := parseAck(reply)
		if err == nil && p.time.UnixNano() < 0 {
			t.Errorf("%q: %+v", reply, p)
		}
	})
}

// TestAPIFailure: which answers mean something to the contract, and above all which do not.
func TestAPIFailure(t *testing.T) {
	all := []error{store.ErrConflict, store.ErrNotFound, store.ErrFull, store.ErrExists, store.ErrAmbiguous}
	for _, c := range []struct {
		code int
		text string
		want error
	}{
		{10071, "wrong last sequence: 7", store.ErrConflict}, {10164, "wrong last sequence", store.ErrConflict},
		{10037, "no message found", store.ErrNotFound}, {10043, "sequence 7 not found", store.ErrNotFound},
		{10057, "no message found", store.ErrNotFound}, {10057, "stream store EOF", store.ErrNotFound},
		{10057, "message delete not permitted", nil}, {10057, "input/output error", nil},
		{10077, "maximum bytes exceeded", store.ErrFull}, {10077, "maximum messages exceeded", store.ErrFull}, {10077, "store is closed", nil},
		{10002, "resource limits exceeded for account", store.ErrFull}, {10023, "insufficient resources", store.ErrFull}, {10047, "insufficient storage resources", store.ErrFull},
		{10054, "message size exceeds maximum allowed", nil}, {10059, "stream not found", nil}, {10008, "JetStream system temporarily unavailable", nil},
	} {
		err := fmt.Errorf("wrapped: %w", &apiFailure{503, c.code, c.text})
		for _, e := range all {
			if errors.Is(err, e) != (e == c.want) {
				t.Errorf("%v: is %v: %t", err, e, errors.Is(err, e))
			}
		}
	}
}

// TestAcknowledged: only a sequence that is new is success.
func TestAcknowledged(t *testing.T) {
	for _, c := range []struct {
		answer string
		seq    uint64
		want   error
	}{
		{`{"stream":"S","seq":7}`, 7, nil},
		{`{"stream":"S","seq":7,"duplicate":true}`, 0, errDuplicate},
		{`{"stream":"S","seq":0,"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"}}`, 0, store.ErrConflict},
		{`{"stream":"S","seq":0}`, 0, store.ErrAmbiguous},
		{`{}`, 0, store.ErrAmbiguous},
		{`+OK`, 0, store.ErrAmbiguous},
		{``, 0, store.ErrAmbiguous},
	} {
		seq, err := acknowledged(nil, []byte(c.answer))
		if seq != c.seq || !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %d, %v; want %d, %v", c.answer, seq, err, c.seq, c.want)
		}
	}
}
