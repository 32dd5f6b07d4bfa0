package audit

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
)

// slowly is CheckData without checkBody.
func slowly(p Parsed, body []byte) dataCheck {
	records, err := sealedlog.ParsePayloads(body)
	if err != nil {
		return dataCheck{err: mismatch(p.Entries[p.firstData()].Index, CheckPayload, "PAYLOADS sequence 0: %v", err)}
	}
	return checkRecords(p.Entries, records)
}

// TestCheckData compares the two ways of checking a batch's data, on bodies with lines left out,
// doubled and exchanged, and on all that one changed byte makes of a body.
func TestCheckData(t *testing.T) {
	var p Parsed
	var lines [][]byte
	for i, data := range []string{`{"a":"\"x\""}`, "", "é\n", "\x00\xff", "none", "last"} {
		e := entry.Entry{Index: 10 + uint64(i)}
		if data != "none" {
			record := entry.Payload{Index: e.Index, Salt: [32]byte{byte(i)}, Data: []byte(data)}
			h := entry.DataHash(record.Salt, record.Data)
			e.DataHash = &h
			lines = append(lines, append(record.AppendRecord(nil), '\n'))
		}
		p.Entries = append(p.Entries, e)
	}
	fast := 0
	compare := func(name string, body []byte) {
		t.Helper()
		q := p
		q.CheckData(body, true)
		want := slowly(p, body)
		if q.data.err == nil {
			fast++
		}
		if fmt.Sprint(q.data.err) != fmt.Sprint(want.err) ||
			want.err == nil && (q.data.opened != want.opened || !reflect.DeepEqual(q.data.missing, want.missing)) {
			t.Errorf("%s: %+v, want %+v", name, q.data, want)
		}
	}
	whole := bytes.Join(lines, nil)
	compare("whole", whole)
	compare("without its last line feed", whole[:len(whole)-1])
	for i := range lines {
		left, right := bytes.Join(lines[:i], nil), bytes.Join(lines[i+1:], nil)
		compare("left out", append(bytes.Clone(left), right...))
		compare("doubled", append(append(append(bytes.Clone(left), lines[i]...), lines[i]...), right...))
		compare("moved to the end", append(append(bytes.Clone(left), right...), lines[i]...))
	}
	for i := range whole {
		for _, b := range []byte("\n\" \\0a\x80") {
			changed := bytes.Clone(whole)
			changed[i] = b
			compare(fmt.Sprintf("byte %d is %q", i, b), changed)
		}
	}
	if fast < 6 {
		t.Errorf("only %d bodies were right", fast)
	}
}
