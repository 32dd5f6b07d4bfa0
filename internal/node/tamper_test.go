package node

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/streams"
)

// tamperedDir makes a data directory with n events in batches of their own, stopped.
func tamperedDir(t *testing.T, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	node, err := Up(t.Context(), UpConfig{Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	p := &publisher{source: "did:web:agent"}
	for i := range n {
		_, raw := p.event(i)
		if _, err := receipts(node.http.Addr().String(), "sealed", raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := node.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rewrite stores a stream anew, each message as change makes it, so that NATS finds nothing wrong
// with it. A message for which change says false is left out at the end.
func rewrite(t *testing.T, dir, name string, change func(i int, m *nats.Msg) bool) {
	t.Helper()
	s := logtest.Server(t, natsd.Config{StoreDir: filepath.Join(dir, datadir.DirNATS), InProcess: true})
	defer s.Shutdown() // before another server reads the folder
	_, js := logtest.Connect(t, s)
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	info := stream.CachedInfo()
	var list []*nats.Msg
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		raw, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, &nats.Msg{Subject: raw.Subject, Header: raw.Header, Data: raw.Data})
	}
	if err := js.DeleteStream(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), info.Config); err != nil {
		t.Fatal(err)
	}
	for i, m := range list {
		if !change(i, m) {
			break
		}
		if m.Header != nil {
			m.Header = maps.Clone(m.Header)
			m.Header.Del(nats.ExpectedLastSeqHdr)
		}
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTampering alters the stores of a stopped log as an insider would, and wants the index and the reason.
func TestTampering(t *testing.T) {
	const events = 12
	sealed, payloads := streams.SealedName("default"), streams.PayloadsName("default")
	for _, c := range []struct {
		name   string
		tamper func(t *testing.T, dir string)
		index  uint64
		what   audit.Check
	}{
		{"a leaf is altered and stored anew", func(t *testing.T, dir string) {
			rewrite(t, dir, sealed, func(i int, m *nats.Msg) bool {
				m.Data = bytes.Replace(m.Data, []byte(`"entry_id":"e-5"`), []byte(`"entry_id":"e-X"`), 1)
				return true
			})
		}, 6, "frontier"},
		{"a leaf is altered into another form", func(t *testing.T, dir string) {
			rewrite(t, dir, sealed, func(i int, m *nats.Msg) bool {
				m.Data = bytes.Replace(m.Data, []byte(`"entry_id":"e-5"`), []byte(`"entry_id": "e-5"`), 1)
				return true
			})
		}, 6, "leaf"},
		{"a payload is altered and stored anew", func(t *testing.T, dir string) {
			rewrite(t, dir, payloads, func(i int, m *nats.Msg) bool {
				m.Data = bytes.Replace(m.Data, []byte(`{\"n\":7}`), []byte(`{\"n\":8}`), 1)
				return true
			})
		}, 8, "payload"},
		{"a checkpoint is altered", func(t *testing.T, dir string) {
			rewrite(t, dir, sealed, func(i int, m *nats.Msg) bool {
				if c := m.Header["Sealstream-Checkpoint"]; bytes.Contains(m.Data, []byte(`"entry_id":"e-9"`)) {
					m.Header["Sealstream-Checkpoint"] = []string{flipBase64(c[0])}
				}
				return true
			})
		}, 10, "signature"},
		{"the tail is cut off", func(t *testing.T, dir string) {
			rewrite(t, dir, sealed, func(i int, m *nats.Msg) bool { return i < 8 })
		}, 8, "cut"},
		{"a block file is flipped", func(t *testing.T, dir string) { flipBlock(t, dir, sealed, "e-5") }, 6, "missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tamperedDir(t, events)
			if r, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{}); err != nil || r.Size != events+1 {
				t.Fatalf("before: size %d, %v", r.Size, err)
			}
			c.tamper(t, dir)
			_, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{})
			bad, ok := errors.AsType[*audit.MismatchError](err)
			if !ok || bad.Index != c.index || bad.What != c.what {
				t.Fatalf("audit: %v; want index %d, %s", err, c.index, c.what)
			}
			t.Log(err)
		})
	}
}

// flipBase64 changes a character in the last quarter, which is the signature.
func flipBase64(s string) string {
	b := []byte(s)
	i := len(b) * 7 / 8
	if b[i]++; b[i] == '9'+1 || b[i] == 'Z'+1 || b[i] == 'z'+1 || b[i] == '/'+1 || b[i] == '+'+1 {
		b[i] = 'A'
	}
	return string(b)
}

// flipBlock changes one bit of a message in a stream's block file.
func flipBlock(t *testing.T, dir, stream, near string) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, datadir.DirNATS, "jetstream", "*", "streams", stream, "msgs",
		"*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no block files: %v", err)
	}
	for _, path := range blocks {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(b, fmt.Appendf(nil, `"entry_id":%q`, near)); i >= 0 {
			b[i+1] ^= 1
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s stands in no block file of %s", near, strings.Join(blocks, " "))
}
