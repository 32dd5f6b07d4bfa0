package query_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// entryFiles are the files that hold leaves and data.
func (k *kept) entryFiles() []string {
	k.Helper()
	leaves, _ := filepath.Glob(filepath.Join(k.dir, "*.leaves"))
	data, _ := filepath.Glob(filepath.Join(k.dir, "*.data"))
	list := slices.Concat(leaves, data)
	if slices.Sort(list); len(list) != 2*int(k.size/64) {
		k.Fatalf("files %v", list)
	}
	return list
}

// deaf is a stream that gives no message when it is told so: it fails, or hangs.
type deaf struct {
	store.Stream
	on    *atomic.Bool
	hangs bool
}

var errDeaf = errors.New("the store was asked")

func (d deaf) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	if d.on.Load() {
		if d.hangs {
			<-ctx.Done()
		}
		return entry.Message{}, errDeaf
	}
	return d.Stream.Get(ctx, seq)
}

func (d deaf) Read(ctx context.Context, from uint64) (store.Reader, error) {
	if d.on.Load() {
		if d.hangs {
			<-ctx.Done()
		}
		return nil, errDeaf
	}
	return d.Stream.Read(ctx, from)
}

func (d deaf) Fetch(ctx context.Context, seq uint64) ([]byte, error) {
	m, err := d.Get(ctx, seq)
	return m.Data, err
}

// TestReadsFilesAlone: entries in files are read, proven and exported without the store, and every
// answer is byte for byte the one from the log.
func TestReadsFilesAlone(t *testing.T) {
	k := &kept{fixture: newFixture(t), dir: filepath.Join(t.TempDir(), "index")}
	k.publishAll(generated(rand.New(rand.NewPCG(5, 16)), 255), 23)
	var paths []string
	for x := range k.size {
		paths = append(paths, fmt.Sprintf("/v1/entries/%d", x), fmt.Sprintf("/v1/entries/%d/proof?raw=1", x))
	}
	for _, q := range []string{
		"", "agent=did:web:a.example.com", "trace=t1&trace=t5", "outcome=success&order=asc", "proof=1",
	} {
		paths = append(paths, "/v1/entries?limit=40&"+q, "/v1/entries?limit=1000&raw=1&"+q)
	}
	for _, f := range []string{"jsonl", "json", "csv", "cloudevents", "jsonl&agent=did:web:a.example.com"} {
		paths = append(paths, "/v1/export?format="+f)
	}
	paths = append(paths, "/v1/entries/id/generated-150", "/tile/0/000.p/255", "/tile/entries/000.p/200", "/tile/0/001",
		"/tile/0/000", "/v1/consistency?from=13&to=256", "/v1/traces/t1")
	want := map[string][]byte{}
	for _, p := range paths {
		want[p] = k.do("GET", p).body
	}
	silent := new(atomic.Bool)
	log := *k.log
	log.Sealed, log.Payloads = deaf{log.Sealed, silent, false}, deaf{log.Payloads, silent, false}
	k.log = &log
	k.start()
	k.inFiles()
	silent.Store(true)
	for _, p := range paths {
		if a := k.do("GET", p); !bytes.Equal(a.body, want[p]) {
			t.Fatalf("%s from files: %d %.300s\nfrom the log: %.300s", p, a.StatusCode, a.body, want[p])
		}
	}
	if want := want["/v1/entries/9"]; !bytes.Contains(want, []byte(`"entry_id":"generated-8"`)) {
		t.Fatalf("nothing was compared: %s", want)
	}
}

// allFiles are all files of the folder, those of one part together.
func (k *kept) allFiles() []string {
	k.Helper()
	list, err := filepath.Glob(filepath.Join(k.dir, "*"))
	if err != nil || len(list) != 3*int(k.size/64) {
		k.Fatalf("files %v: %v", list, err)
	}
	return list
}

// TestDamagedFolder damages each file of the folder in every way, while the service is stopped and
// while it runs: no answer is wrong, the damage is told, and the file is written again.
func TestDamagedFolder(t *testing.T) {
	k := newKept(t)
	r := rand.New(rand.NewPCG(6, 16))
	good := map[string][]byte{}
	all := k.allFiles()
	for _, name := range all {
		good[name], _ = os.ReadFile(name)
	}
	k.start()
	k.inFiles()
	want := k.told(nil)
	k.stop()
	damages := map[string]func(name string, b []byte){
		"flipped": func(name string, b []byte) {
			b[len(b)/7+r.IntN(len(b)/2)] ^= 1 << r.IntN(8)
			k.write(name, b)
		},
		"flipped at its end": func(name string, b []byte) { b[len(b)-1-r.IntN(60)] ^= 0x40; k.write(name, b) },
		"cut":                func(name string, b []byte) { k.write(name, b[:r.IntN(len(b))]) },
		"emptied":            func(name string, b []byte) { k.write(name, nil) },
		"removed":            func(name string, b []byte) { os.Remove(name) },
		"replaced by that of another part": func(name string, b []byte) {
			other := all[(slices.Index(all, name)+3)%len(all)]
			k.write(name, good[other])
		},
	}
	for what, damage := range damages {
		for _, running := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, running %t", what, running), func(t *testing.T) {
				k.T, k.health = t, new(health.Board)
				for i, name := range all {
					if testing.Short() && i > 2 {
						break
					}
					if running {
						k.start()
						k.inFiles()
					}
					damage(name, bytes.Clone(good[name]))
					if !running {
						k.start()
					}
					k.told(want)
					k.inFiles()
					if noticed := k.health.State("index") == health.Warning; !noticed && !running && what != "removed" {
						t.Errorf("%s: nothing was told", filepath.Base(name))
					}
					k.stop()
					if running { // it had the old file open, and may not have seen all of it
						k.start()
						k.told(want)
						k.inFiles()
						k.stop()
					}
					k.repaired(good, what)
					for name, b := range good {
						k.write(name, b)
					}
				}
			})
		}
	}
}

var rechecking = regexp.MustCompile(`,"rechecking":\d+`)

// told asks everything until all is answered, and compares each answer with that of before.
func (k *kept) told(before map[string]string) map[string]string {
	k.Helper()
	now := map[string]string{}
	paths := []string{
		"/v1/entries?limit=1000&raw=1", "/v1/entries?limit=1000&raw=1&order=asc&proof=1", "/v1/counts?top=5", "/v1/stats",
		"/v1/traces/t1", "/v1/entries/id/generated-150", "/v1/entries/id/generated-150?agent=did:web:a.example.com",
		"/v1/entries?resource=/crm/*&action=deny", "/v1/export?format=jsonl&session=s2", "/v1/consistency?from=13&to=256",
		"/v1/entries?from=2023-11-14T22:15:20Z&to=2023-11-14T22:17:00Z", "/tile/0/001", "/tile/entries/000",
	}
	for x := uint64(0); x < k.size; x += 5 {
		paths = append(paths, fmt.Sprintf("/v1/entries/%d/proof", x))
	}
	for _, path := range paths {
		logtest.Until(k, path+" is answered", func() bool {
			a := k.do("GET", path)
			if a.StatusCode == http.StatusServiceUnavailable || a.err != nil {
				return false
			}
			now[path] = fmt.Sprint(a.StatusCode, " ", rechecking.ReplaceAllString(string(a.body), ""))
			return true
		})
		if is, was := now[path], before[path]; before != nil && is != was {
			k.Fatalf("%s: %.300s\nbefore: %.300s", path, is, was)
		}
	}
	return now
}

// repaired compares the files of entries with those that were written first, and opens the others.
func (k *kept) repaired(good map[string][]byte, what string) {
	k.Helper()
	for name := range good {
		b, err := os.ReadFile(name)
		if filepath.Ext(name) == ".segment" { // its key may be another one
			if _, err := segment.Open(b); err != nil {
				k.Errorf("%s: %s: %v", what, filepath.Base(name), err)
			}
		} else if !bytes.Equal(b, good[name]) {
			k.Errorf("%s: %s has %d bytes, had %d: %v", what, filepath.Base(name), len(b), len(good[name]), err)
		}
	}
}

// TestErasureInFiles: soon after an erasure was sealed no file of the folder holds the data, and
// nobody holds a file that did; proofs hold. The same after a crash that left the old file, or half
// a new one.
func TestErasureInFiles(t *testing.T) {
	k := newKept(t)
	secret := func() bool {
		found := false
		for _, name := range k.entryFiles() {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := segment.OpenRows(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			err = rows.Each(func(row int, b []byte) error {
				found = found || bytes.Contains(b, []byte(`"index":70,"salt"`)) || bytes.Contains(b, []byte(`"index":71,"salt"`))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return found
	}
	if !secret() {
		t.Fatal("the data is in no file")
	}
	old, err := os.ReadFile(filepath.Join(k.dir, "0000000000000064.data"))
	if err != nil {
		t.Fatal(err)
	}
	k.start()
	k.inFiles()
	erasure := entry.Erasure{Indexes: []uint64{70, 71}, Reason: "asked for", Authority: "the person concerned"}
	control := inbox.FormatControl(uuid.NewString(), k.signer.Origin(), entry.TypeErasure, erasure.AppendJSON(nil))
	if _, err := k.log.Events.Append(t.Context(),
		entry.Message{Subject: "audit.default.control", Data: control}, nil); err != nil {
		t.Fatal(err)
	}
	k.size++
	k.await()
	gone := func(when string) {
		t.Helper()
		logtest.Until(t, "the data is gone "+when, func() bool { return !secret() })
		for _, x := range []uint64{69, 70, 71, 72} {
			a := k.do("GET", fmt.Sprintf("/v1/entries/%d/proof", x))
			shown := k.do("GET", fmt.Sprintf("/v1/entries/%d?raw=1", x))
			if a.StatusCode != 200 || bytes.Contains(shown.body, []byte(`"salt":"`)) != (x == 69 || x == 72) {
				t.Fatalf("%s, entry %d: %d %s", when, x, a.StatusCode, shown.body)
			}
		}
		if runtime.GOOS != "linux" {
			return
		}
		logtest.Until(t, "nobody holds the old file "+when, func() bool {
			links, _ := filepath.Glob("/proc/self/fd/*")
			return !slices.ContainsFunc(links, func(link string) bool {
				to, _ := os.Readlink(link)
				return strings.HasPrefix(to, k.dir) && strings.HasSuffix(to, "(deleted)")
			})
		})
	}
	gone("after the erasure")
	k.stop()
	name := filepath.Join(k.dir, "0000000000000064.data")
	k.write(name, old)
	k.start()
	gone("after a crash before the rename")
	k.stop()
	k.write(name, old)
	k.write(name+".tmp", old[:len(old)/2])
	k.start()
	gone("after a crash in the middle")
	if _, err := os.Stat(name + ".tmp"); err == nil {
		t.Error("the rest of a crash is still there")
	}
}

// tallied is a stream that counts how often it is read, and how often it is asked for a message.
type tallied struct {
	store.Stream
	reads, gets *atomic.Int64
}

func (c tallied) Read(ctx context.Context, from uint64) (store.Reader, error) {
	c.reads.Add(1)
	return c.Stream.Read(ctx, from)
}

func (c tallied) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	c.gets.Add(1)
	return c.Stream.Get(ctx, seq)
}

// TestKeepReadsOnce: an empty folder is filled from one walk over SEALED and one over PAYLOADS, and
// has the same files as one whose files are made again, each by itself.
func TestKeepReadsOnce(t *testing.T) {
	k := newKept(t)
	good := map[string][]byte{}
	for _, name := range k.entryFiles() {
		good[name], _ = os.ReadFile(name)
	}
	os.RemoveAll(k.dir)
	var sealed, payloads [2]atomic.Int64
	log := *k.log
	log.Sealed = tallied{log.Sealed, &sealed[0], &sealed[1]}
	log.Payloads = tallied{log.Payloads, &payloads[0], &payloads[1]}
	k.log = &log
	k.start()
	k.inFiles()
	for what, c := range map[string]*[2]atomic.Int64{"SEALED": &sealed, "PAYLOADS": &payloads} {
		if reads, gets := c[0].Load(), c[1].Load(); reads != 1 || gets > 1 { // the last one shows where it ends
			t.Errorf("%s was read %d times, and asked for %d messages", what, reads, gets)
		}
	}
	k.stop()
	k.repaired(good, "made while following")
	for name := range good {
		os.Remove(name)
	}
	k.start()
	k.inFiles()
	if gets := sealed[1].Load() + payloads[1].Load(); gets > 20 { // to find where a walk begins
		t.Errorf("%d messages were asked for", gets)
	}
	k.stop()
	k.repaired(good, "made again")
}

// TestKeepWithoutRoom: what can be read from the log is not kept from the reserve of the disk, but
// erased data is removed in any case.
func TestKeepWithoutRoom(t *testing.T) {
	k := newKept(t)
	name := filepath.Join(k.dir, "0000000000000000.leaves")
	os.Remove(name)
	k.spare = func() uint64 { return 1 << 20 }
	k.start()
	logtest.Until(t, "it is told", func() bool { return k.logs.has("no room beyond its reserve") })
	k.answers()
	if _, err := os.Stat(name); err == nil {
		t.Error("the file was written")
	}
	k.eraseEntries(70)
	k.erasedFrom(70)
}
