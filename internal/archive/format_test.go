package archive_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/pkg/entry"
)

var someTime = time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)

var messages = []entry.Message{
	{Seq: 1, Time: someTime, Data: []byte("{}\n")},
	{Seq: 1 << 40, Data: []byte{}},
	{Seq: 2, Time: someTime, Header: entry.Header{"B": {"2", "1"}, "A": {""}, "a b\n": {"\n1 2\n", "é"}}, Data: []byte("1 - 0 3\nabc\n")},
}

// TestMessages: what is written is read back, one behind the other, and nothing that is cut off or changed.
func TestMessages(t *testing.T) {
	var all []byte
	for _, m := range messages {
		b := archive.AppendMessage(nil, m)
		for n := range len(b) {
			if _, _, err := archive.ParseMessage(b[:n]); err == nil {
				t.Errorf("%q was taken for a message", b[:n])
			}
		}
		all = append(all, b...)
	}
	left := messages
	for rest := all; len(rest) > 0; {
		var m entry.Message
		var err error
		if m, rest, err = archive.ParseMessage(rest); err != nil {
			t.Fatal(err)
		}
		if want := left[0]; !reflect.DeepEqual(m, want) {
			t.Errorf("%+v, want %+v", m, want)
		}
		left = left[1:]
	}
	for _, bad := range []string{
		"", "\n", "1 - 0 0\n", "1 - 0 1\n\n", "01 - 0 0\n\n", "1 - 0 -1\n\n", "1  0 0\n\n", "1 - 0 0 \n\n", "1 2026-02-03T04:05:06Z 0 0\n\n", "1 - 0 1\nab",
		"1 - 2 0\n1 0\nB\n1 0\nA\n\n", "1 - 1 0\n1 1\nA\n\n", "1 - 9007199254740993 0\n\n", "1 - 0 18446744073709551615\n\n", "1 - 99999999 0\n1 0\nA\n\n",
	} {
		if m, _, err := archive.ParseMessage([]byte(bad)); err == nil {
			t.Errorf("%q was taken for %+v", bad, m)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range messages {
		f.Add(archive.AppendMessage(nil, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, rest, err := archive.ParseMessage(b)
		if err == nil && !bytes.Equal(append(archive.AppendMessage(nil, m), rest...), b) {
			t.Errorf("%q is read as %+v", b, m)
		}
	})
}

const segment = `{"sealstream_segment":1,"log":"default","segment":1,"first":300,"size":550,"first_seq":7,` +
	`"last_seq":12,"input":{"epoch":1,"seq":9,"place":-1},` +
	`"payloads":11,"checkpoint":"a <b>\n","content":{"bytes":900,` +
	`"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},` +
	`"object":{"bytes":300,"sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},` +
	`"frames":[[7,300,0],[9,400,150]]}` + "\n"

const payloads = `{"sealstream_payloads":1,"log":"default","segment":1,"revision":0,"erased":[],` +
	`"content":{"bytes":0,"sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},` +
	`"object":{"bytes":0,"sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},"frames":[]}` +
	"\n"

// TestManifests: the two manifests are taken as they are written, and not where they contradict themselves.
func TestManifests(t *testing.T) {
	s, err := archive.ParseSegment([]byte(segment))
	if err != nil || string(s.Format()) != segment || s.LastSeq != 12 || s.Frames[1].Index != 400 {
		t.Errorf("%+v, %v", s, err)
	}
	if p, err := archive.ParsePayloads([]byte(payloads)); err != nil || string(p.Format()) != payloads {
		t.Errorf("%+v, %v", p, err)
	}
	for _, c := range [][2]string{
		{`"sealstream_segment":1`, `"sealstream_segment":2`}, {`"size":550`, `"size":300`}, {`"size":550`, `"size":350`}, {`"first":300`, `"first":301`},
		{`"first_seq":7`, `"first_seq":8`}, {`"last_seq":12`, `"last_seq":6`}, {`"last_seq":12`, `"last_seq":8`}, {`[7,300,0]`, `[7,300,1]`},
		{`[9,400,150]`, `[9,400,0]`}, {`[9,400,150]`, `[7,400,150]`}, {`[9,400,150]`, `[9,299,150]`}, {`[9,400,150]`, `[9,400,300]`}, {`[9,400,150]`, `[9,400]`},
		{`[[7,300,0],[9,400,150]]`, `[]`}, {`[[7,300,0],[9,400,150]]`, `null`}, {`bbb"`, `bb"`}, {`,"payloads":11`, ``}, {`"log"`, `"Log"`}, {`"segment":1,`, `"segment":1, `},
		{`"segment":1,`, `"segment":1,"segment":1,`}, {"}\n", "}"}, {`"payloads":11`, `"payloads":-1`}, {`"payloads":11`, `"payloads":11,"more":1`},
	} {
		bad := bytes.Replace([]byte(segment), []byte(c[0]), []byte(c[1]), 1)
		if s, err := archive.ParseSegment(bad); err == nil {
			t.Errorf("%s for %s was taken: %+v", c[1], c[0], s)
		}
	}
}

func FuzzManifests(f *testing.F) {
	f.Add([]byte(segment))
	f.Add([]byte(payloads))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := archive.ParseSegment(b); err == nil && !bytes.Equal(s.Format(), b) {
			t.Errorf("%q is read as %+v", b, s)
		}
		if p, err := archive.ParsePayloads(b); err == nil && !bytes.Equal(p.Format(), b) {
			t.Errorf("%q is read as %+v", b, p)
		}
	})
}
