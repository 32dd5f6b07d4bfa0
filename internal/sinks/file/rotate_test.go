package filesink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/sinks/file"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// TestTinyRotation: 50 entries, each in a file of its own, as fast as they can be written: none is
// overwritten (case 17 of the toolkit's defects).
func TestTinyRotation(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filesink.Config{
		Path: filepath.Join(dir, "audit.jsonl"), Keys: ring, MaxSize: 1, Sync: 100 * time.Millisecond,
	})
	list := sinktest.Records(50, 1)
	begin := time.Now()
	for i := range list {
		write(t, s, list[i:i+1])
	}
	t.Logf("50 files in %v", time.Since(begin))
	closeSink(t, s)
	paths, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if len(paths) != 50 {
		t.Fatalf("%d files", len(paths))
	}
	r := verify(t, dir)
	if !r.Valid || r.Entries != 50 {
		t.Fatalf("%d entries, %v", r.Entries, r.Problem)
	}
}

func verify(t *testing.T, paths ...string) filesink.Report {
	t.Helper()
	r, err := filesink.Verify(t.Context(), paths, ring)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// filled is a folder with five closed files and one that grows; the sink is closed.
func filled(t *testing.T, change func(*filesink.Config)) (dir string, cfg filesink.Config, list []sink.Record) {
	t.Helper()
	dir = t.TempDir()
	cfg = filesink.Config{Path: filepath.Join(dir, "audit.jsonl"), Keys: ring, MaxSize: 15000}
	if change != nil {
		change(&cfg)
	}
	list = sinktest.Records(70, 1)
	s := open(t, cfg)
	write(t, s, list)
	closeSink(t, s)
	return dir, cfg, list
}

func names(t *testing.T, dir string) (closed []string) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(dir, "audit.0*.jsonl*"))
	if len(paths) < 4 {
		t.Fatal(paths)
	}
	return paths
}

// TestVerifyFolder: what was taken from a folder, or put into it, is seen, wherever it was.
func TestVerifyFolder(t *testing.T) {
	whole, _, _ := filled(t, nil)
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		why    string
	}{
		{"whole", nil, ""},
		{"middle file missing", func(t *testing.T, dir string) { os.Remove(names(t, dir)[2]) }, "the file is missing"},
		{"first file missing", func(t *testing.T, dir string) { os.Remove(names(t, dir)[0]) }, "the file is missing"},
		{"newest closed file missing", func(t *testing.T, dir string) { n := names(t, dir); os.Remove(n[len(n)-1]) }, "the file is missing"},
		{"file that grows missing", func(t *testing.T, dir string) { os.Remove(dir + "/audit.jsonl") }, "the file is missing"},
		{"closed file cut", func(t *testing.T, dir string) { cut(t, names(t, dir)[1], 1) }, "no closing record"},
		{"closed file cut deeper", func(t *testing.T, dir string) { cut(t, names(t, dir)[1], 3) }, "no closing record"},
		{"closed file emptied", func(t *testing.T, dir string) { os.Truncate(names(t, dir)[1], 0) }, "no closing record"},
		{"tail of the file that grows cut", func(t *testing.T, dir string) { cut(t, dir+"/audit.jsonl", 1) }, "its end was cut off"},
		{"file that grows emptied", func(t *testing.T, dir string) { os.Truncate(dir+"/audit.jsonl", 0) }, "its end was cut off"},
		{"manifest altered", func(t *testing.T, dir string) { replaceIn(t, dir+"/audit.manifest", `"lines":`, `"lines":1`) }, "mac is invalid"},
		{"head altered", func(t *testing.T, dir string) { replaceIn(t, dir+"/audit.head", `"lines":`, `"lines":1`) }, "mac is invalid"},
		{"manifest missing", func(t *testing.T, dir string) { os.Remove(dir + "/audit.manifest") }, "the manifest does not name it"},
		{"manifest and head missing", func(t *testing.T, dir string) {
			errors.Join(os.Remove(dir+"/audit.manifest"), os.Remove(dir+"/audit.head"), os.Remove(names(t, dir)[2]))
		}, "the manifest does not name it"},
		{"nothing but a late file left", func(t *testing.T, dir string) {
			n := names(t, dir)
			for _, path := range append(n[:len(n)-1:len(n)-1], dir+"/audit.manifest", dir+"/audit.head",
				dir+"/audit.jsonl") {
				os.Remove(path)
			}
		}, "the manifest does not name it"},
		{"head missing, and a tail cut", func(t *testing.T, dir string) { os.Remove(dir + "/audit.head"); cut(t, dir+"/audit.jsonl", 1) }, "the file is missing"},
		{"files swapped", func(t *testing.T, dir string) {
			n := names(t, dir)
			os.Rename(n[1], dir+"/x")
			os.Rename(n[2], n[1])
			os.Rename(dir+"/x", n[2])
		}, "is at its place"},
		{"verdict changed", func(t *testing.T, dir string) {
			edit(t, dir, `"index": 33,`, func(l []byte) []byte {
				return bytes.Replace(l, []byte(`"action": "deny"`), []byte(`"action": "allow"`), 1)
			})
		}, `the member "action" differs from the leaf`},
		{"leaf changed", func(t *testing.T, dir string) {
			edit(t, dir, `"index": 33,`, func(l []byte) []byte {
				return bytes.Replace(l, []byte(`\"session_id\":\"s`), []byte(`\"session_id\":\"z`), 1)
			})
		}, "content hash mismatch"},
		{"member added", func(t *testing.T, dir string) {
			edit(t, dir, `"index": 33,`, func(l []byte) []byte {
				return bytes.Replace(l, []byte(`"mac"`), []byte(`"note": "x", "mac"`), 1)
			})
		}, `the member "mac" is missing or in another place`},
		{"unsigned member changed", func(t *testing.T, dir string) {
			edit(t, dir, `"index": 33,`, func(l []byte) []byte {
				return bytes.Replace(l, []byte(`"sandbox_id": null`), []byte(`"sandbox_id": "x"`), 1)
			})
		}, `the member "sandbox_id" differs from the leaf`},
		{"signature changed", func(t *testing.T, dir string) {
			edit(t, dir, `"index": 33,`, func(l []byte) []byte { return flipHex(l, `"signature": "`) })
		}, "HMAC signature invalid"},
		{"mac changed", func(t *testing.T, dir string) {
			edit(t, dir, `"index": 33,`, func(l []byte) []byte { return flipHex(l, `"mac": "`) })
		}, "mac invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if c.change != nil {
				c.change(t, dir)
			}
			r := verify(t, dir)
			if c.why == "" {
				if !r.Valid || r.Entries != 70 {
					t.Fatalf("%d entries: %v", r.Entries, r.Problem)
				}
				return
			}
			if r.Valid || !strings.Contains(r.Problem.Why, c.why) {
				t.Fatalf("%v; want %q", r.Problem, c.why)
			}
		})
	}
}

func flipHex(l []byte, after string) []byte {
	i := bytes.Index(l, []byte(after)) + len(after)
	if l[i]++; l[i] == '9'+1 || l[i] == 'f'+1 {
		l[i] = 'a'
	}
	return l
}

// cut removes the last lines of a file.
func cut(t *testing.T, path string, n int) {
	t.Helper()
	lines := bytes.SplitAfter(plain(t, path), []byte("\n"))
	if err := os.WriteFile(path, bytes.Join(lines[:len(lines)-1-n], nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

func replaceIn(t *testing.T, path, old, new string) {
	t.Helper()
	text := plain(t, path)
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s: no %s", path, old)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(old), []byte(new), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

// goesOn opens a folder again, writes all entries, and finds each once.
func goesOn(t *testing.T, cfg filesink.Config, list []sink.Record) {
	t.Helper()
	s := open(t, cfg)
	write(t, s, list)
	next := uint64(0)
	for r, err := range s.Read(t.Context(), 0) {
		if err != nil || r.Entry.EntryHash != list[next].Entry.EntryHash {
			t.Fatalf("index %d: %s, %v", next, r.Entry.EntryHash, err)
		}
		next++
	}
	if next != uint64(len(list)) {
		t.Fatalf("%d entries of %d", next, len(list))
	}
	closeSink(t, s)
	if r := verify(t, filepath.Dir(cfg.Path)); !r.Valid || r.Entries != next {
		t.Fatalf("%d entries: %v", r.Entries, r.Problem)
	}
}

// TestTornTail: whatever a crash leaves of the lines behind the durable ones is cut, and written again.
func TestTornTail(t *testing.T) {
	for name, tail := range map[string]string{
		"half a line": `{"action": "allow", "agent_`, "zeros": "\x00\x00\x00\x00", "zeros and a line": "\x00\x00\x00\n{}\n", "a strange line": "{}\n", "an empty line": "\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, cfg, list := filled(t, nil)
			f, err := os.OpenFile(cfg.Path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(f, tail)
			f.Close()
			goesOn(t, cfg, append(list, sinktest.Records(80, 1)[70:]...))
		})
	}
}

// TestNoHead: a crash before the first head leaves lines that only reading tells are right.
func TestNoHead(t *testing.T) {
	dir, cfg, list := filled(t, func(c *filesink.Config) { c.MaxSize = 0 })
	if err := os.Remove(dir + "/audit.head"); err != nil {
		t.Fatal(err)
	}
	text := plain(t, cfg.Path)
	if err := os.WriteFile(cfg.Path, text[:len(text)-500], 0o600); err != nil {
		t.Fatal(err)
	}
	goesOn(t, cfg, list)
}

// TestOldHead: a tail that was cut off cannot be passed off with the head of an earlier file, though its mac is good.
func TestOldHead(t *testing.T) {
	dir := t.TempDir()
	cfg := filesink.Config{Path: filepath.Join(dir, "audit.jsonl"), Keys: ring, MaxSize: 15000}
	list := sinktest.Records(70, 1)
	s := open(t, cfg)
	write(t, s, list[:3])
	closeSink(t, s)
	old := plain(t, dir+"/audit.head")
	goesOn(t, cfg, list)
	cut(t, cfg.Path, 1)
	if err := os.WriteFile(dir+"/audit.head", old, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir); r.Valid || !strings.Contains(r.Problem.Why, "the head is an old one") {
		t.Fatalf("%+v", r.Problem)
	}
}

// TestVerifyWhileWriting: a sink that is at work verifies, also while it goes from one file to the next.
func TestVerifyWhileWriting(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filesink.Config{Path: filepath.Join(dir, "audit.jsonl"), Keys: ring, MaxSize: 8000, Sync: time.Hour})
	list := sinktest.Records(300, 1)
	write(t, s, list[:1])
	done := make(chan error)
	go func() {
		for i := 1; i < len(list); i++ {
			if err := s.Write(context.Background(), list[i:i+1]); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for n := 1; ; n++ {
		if r := verify(t, dir); !r.Valid {
			t.Errorf("turn %d: %v", n, r.Problem)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			closeSink(t, s)
			if r := verify(t, dir); !r.Valid || r.Entries != 300 {
				t.Fatalf("%d entries: %v", r.Entries, r.Problem)
			}
			return
		default:
		}
	}
}

// TestForeignFile: a file that stood there before, and lines under a key that was taken from the
// ring, are no crash's doing, and are left alone.
func TestForeignFile(t *testing.T) {
	toolkit, err := os.ReadFile("../../agt/testdata/agt-audit-trail.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	dir, lost, _ := filled(t, func(c *filesink.Config) { c.MaxSize = 0 })
	ours := plain(t, lost.Path)
	os.Remove(dir + "/audit.head")
	for name, c := range map[string]struct {
		text []byte
		keys filesink.Ring
	}{
		"the toolkit's": {toolkit, ring}, "notes": {[]byte("dear diary"), ring}, "zeros": {make([]byte, 4096), ring},
		"another key": {ours, filesink.Ring{other}},
	} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := filesink.Open(t.Context(), filesink.Config{Path: path, Keys: c.keys})
		if err == nil {
			closeSink(t, s)
		}
		if _, ok := errors.AsType[*sink.InvalidError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(plain(t, path), c.text) {
			t.Errorf("%s: the file was altered", name)
		}
	}
}

// TestFirstCrash: what a loss of power leaves of the very first lines is cut, as later.
func TestFirstCrash(t *testing.T) {
	cfg := filesink.Config{Path: filepath.Join(t.TempDir(), "audit.jsonl"), Keys: ring, Sync: time.Hour}
	s := open(t, cfg)
	head := plain(t, strings.TrimSuffix(cfg.Path, ".jsonl")+".head") // there before any line is
	list := sinktest.Records(5, 1)
	write(t, s, list)
	closeSink(t, s)
	if err := errors.Join(os.WriteFile(strings.TrimSuffix(cfg.Path, ".jsonl")+".head", head, 0o600),
		os.WriteFile(cfg.Path, make([]byte, 3000), 0o600)); err != nil {
		t.Fatal(err)
	}
	goesOn(t, cfg, list)
}

// TestCrashInRotation: a rotation that was broken off at any of its steps is ended by the next Open.
func TestCrashInRotation(t *testing.T) {
	dir, cfg, list := filled(t, nil)
	full := names(t, dir)
	last := full[len(full)-1]
	for _, c := range []struct {
		name  string
		leave func(dir string)
	}{
		{"closed, not renamed", func(dir string) {
			os.Rename(filepath.Join(dir, filepath.Base(last)), dir+"/audit.jsonl")
			os.Remove(dir + "/audit.head")
		}},
		{"renamed, not in the manifest", func(dir string) { os.Remove(dir + "/audit.jsonl"); os.Remove(dir + "/audit.head") }},
		{"in the manifest, no new file", func(dir string) { os.Remove(dir + "/audit.jsonl"); os.Remove(dir + "/audit.head") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			copied := t.TempDir()
			cfg := cfg
			cfg.Path = filepath.Join(copied, "audit.jsonl")
			// The manifest as it was before the newest closed file, made by writing so far.
			from := uint64(0)
			fmt.Sscanf(filepath.Base(last), "audit.%d-", &from)
			s := open(t, cfg)
			write(t, s, list[:from])
			write(t, s, list[from:from+1]) // closes the file before the newest one
			before := plain(t, copied+"/audit.manifest")
			write(t, s, list)
			closeSink(t, s)
			if c.name != "in the manifest, no new file" {
				if err := os.WriteFile(copied+"/audit.manifest", before, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c.leave(copied)
			goesOn(t, cfg, list)
		})
	}
}

// TestKeyRotation: a new key in front of the ring begins a new file; the old ones are verified with
// the old key, and nothing without it.
func TestKeyRotation(t *testing.T) {
	dir, cfg, _ := filled(t, func(c *filesink.Config) { c.MaxSize = 0 })
	cfg.Keys = filesink.Ring{other, ring[0]}
	s := open(t, cfg)
	list := sinktest.Records(90, 1)
	write(t, s, list)
	closeSink(t, s)
	for _, c := range []struct {
		keys filesink.Ring
		ok   bool
	}{{cfg.Keys, true}, {nil, true}, {ring, false}, {filesink.Ring{other}, false}} {
		r, err := filesink.Verify(t.Context(), []string{dir}, c.keys)
		if err != nil || r.Valid != c.ok || c.ok && (r.Entries != 90 || len(r.Files) != 2) {
			t.Errorf("%d keys: %+v %v %v", len(c.keys), r, r.Problem, err)
		}
	}
	for path, key := range map[string]filesink.Ring{
		filepath.Join(dir, "audit.000000000000-000000000069.jsonl"): ring, cfg.Path: {other},
	} {
		for i, line := range bytes.Split(bytes.TrimSpace(plain(t, path)), []byte("\n")) {
			if !bytes.Contains(line, []byte(`"key_id": "`+key[0].ID+`"`)) {
				t.Fatalf("%s: line %d has another key", path, i+1)
			}
		}
	}
}

func TestAge(t *testing.T) {
	dir := t.TempDir()
	cfg := filesink.Config{Path: filepath.Join(dir, "audit.jsonl"), Keys: ring, MaxAge: time.Nanosecond}
	s := open(t, cfg)
	list := sinktest.Records(5, 1)
	for i := range list {
		write(t, s, list[i:i+1])
	}
	closeSink(t, s)
	if r := verify(t, dir); !r.Valid || len(r.Files) != 5 {
		t.Fatalf("%d files, %v", len(r.Files), r.Problem)
	}
}

// TestWithoutData: data=no leaves the data out, and the lines verify.
func TestWithoutData(t *testing.T) {
	dir, _, _ := filled(t, func(c *filesink.Config) { c.NoData = true })
	if r := verify(t, dir); !r.Valid || r.Entries != 70 {
		t.Fatalf("%+v %v", r, r.Problem)
	}
	for _, path := range append(names(t, dir), dir+"/audit.jsonl") {
		if text := plain(t, path); bytes.Contains(text, []byte("acme corp")) || bytes.Contains(text, []byte(`"salt"`)) {
			t.Fatalf("%s holds data", path)
		}
	}
}

// TestNeverOverwrites: a file that stands where a closed one is to go stays as it is.
func TestNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	cfg := filesink.Config{Path: filepath.Join(dir, "audit.jsonl"), Keys: ring, MaxSize: 1}
	s := open(t, cfg)
	list := sinktest.Records(3, 1)
	write(t, s, list[:1])
	taken := filepath.Join(dir, "audit.000000000000-000000000000.jsonl")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(context.Background(), list[1:]); !errors.Is(err, os.ErrExist) {
		t.Fatalf("Write: %v", err)
	}
	if text := plain(t, taken); string(text) != "mine" {
		t.Fatalf("%q", text)
	}
}

func TestURL(t *testing.T) {
	dir := t.TempDir()
	key, old := filepath.Join(dir, "new.key"), filepath.Join(dir, "old.key")
	os.WriteFile(key, []byte("new\n"), 0o600)
	os.WriteFile(old, []byte("my-hmac-secret"), 0o600)
	os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600)
	schemes := sink.Schemes{"file": filesink.Scheme(nil)}
	spec, err := schemes.Parse("file://" + dir +
		"/a.jsonl?max_size=50MiB&max_age=24h&gzip=yes&sync=batch&data=no&key_file=" + key + "," + old)
	if err != nil {
		t.Fatal(err)
	}
	s, err := spec.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, sinktest.Records(3, 1))
	closeSink(t, s)
	r, err := filesink.Verify(t.Context(), []string{dir + "/a.jsonl"}, filesink.Ring{filesink.NewKey([]byte("new"))})
	if err != nil || !r.Valid || r.Entries != 3 {
		t.Fatalf("%+v %v %v", r, r.Problem, err)
	}
	for _, u := range []string{"file:///a.jsonl", "file:///?key_file=" + key, "file://host/a?key_file=" + key,
		"file:///a?key_file=/nope", "file:///a?sync=0s&key_file=" + key,
		"file:///a?key_file=" + dir + "/empty", "file:///a?gzip=maybe&key_file=" + key} {
		if _, err := schemes.Parse(u); !errors.Is(err, sink.ErrURL) {
			t.Errorf("%s: %v", u, err)
		}
	}
}
