package filesink_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/sinks/file"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/sink/sinktest"
)

// losses is what may happen to the files of a sink from outside. kept says that something is set aside.
var losses = []struct {
	name   string
	change func(t *testing.T, dir string)
	kept   bool
	mute   bool // the head is gone, too: nothing says that there was anything
}{
	{"removed", func(t *testing.T, dir string) { must(t, os.Remove(dir+"/audit.jsonl")) }, false, false},
	{"moved", func(t *testing.T, dir string) { must(t, os.Rename(dir+"/audit.jsonl", dir+"/audit.jsonl.1")) }, false, false},
	{"moved, and another file put there", func(t *testing.T, dir string) {
		must(t, os.Rename(dir+"/audit.jsonl", dir+"/audit.jsonl.1"))
		must(t, os.WriteFile(dir+"/audit.jsonl", []byte("dear diary\n"), 0o600))
	}, true, false},
	{"moved, and an empty file put there", func(t *testing.T, dir string) {
		must(t, os.Rename(dir+"/audit.jsonl", dir+"/audit.jsonl.1"))
		must(t, os.WriteFile(dir+"/audit.jsonl", nil, 0o600))
	}, false, false},
	{"replaced by its own copy", func(t *testing.T, dir string) { // all of it is there, in another file
		must(t, os.WriteFile(dir+"/copy", plain(t, dir+"/audit.jsonl"), 0o600))
		must(t, os.Rename(dir+"/copy", dir+"/audit.jsonl"))
	}, false, false},
	{"emptied", func(t *testing.T, dir string) { must(t, os.Truncate(dir+"/audit.jsonl", 0)) }, false, false},
	{"cut to a line", func(t *testing.T, dir string) { cut(t, dir+"/audit.jsonl", 2) }, true, false},
	{"cut within a line", func(t *testing.T, dir string) { must(t, os.Truncate(dir+"/audit.jsonl", 5000)) }, true, false},
	{"copied over by less", func(t *testing.T, dir string) { must(t, os.WriteFile(dir+"/audit.jsonl", []byte("{}\n"), 0)) }, true, false},
	{"copied over by more", func(t *testing.T, dir string) {
		must(t, os.WriteFile(dir+"/audit.jsonl", bytes.Repeat([]byte("dear diary\n"), 100_000), 0))
	}, true, false},
	{"copied over by as much", func(t *testing.T, dir string) {
		n := len(plain(t, dir+"/audit.jsonl"))
		must(t, os.WriteFile(dir+"/audit.jsonl", append(bytes.Repeat([]byte("x"), n-1), '\n'), 0))
	}, true, false},
	{"appended to", func(t *testing.T, dir string) {
		f, err := os.OpenFile(dir+"/audit.jsonl", os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString("dear diary\n")
		must(t, errors.Join(err, f.Close()))
	}, false, false},
	{"all files removed", func(t *testing.T, dir string) {
		list, _ := filepath.Glob(dir + "/*")
		for _, path := range list {
			must(t, os.Remove(path))
		}
	}, false, true},
	{"folder removed", func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, false, true},
	{"folder moved", func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".old")) }, false, true},
	{"file and manifest removed", func(t *testing.T, dir string) {
		must(t, errors.Join(os.Remove(dir+"/audit.jsonl"), os.Remove(dir+"/audit.manifest")))
	}, false, false},
	{"file and head removed", func(t *testing.T, dir string) {
		must(t, errors.Join(os.Remove(dir+"/audit.jsonl"), os.Remove(dir+"/audit.head")))
	}, false, true},
	{"file emptied and head overwritten", func(t *testing.T, dir string) {
		must(t, os.Truncate(dir+"/audit.jsonl", 0))
		must(t, os.WriteFile(dir+"/audit.head", []byte("dear diary\n"), 0))
	}, true, false},
	{"file removed and manifest overwritten", func(t *testing.T, dir string) {
		must(t, os.Remove(dir+"/audit.jsonl"))
		must(t, os.WriteFile(dir+"/audit.manifest", []byte("dear diary\n"), 0))
	}, true, false},
	{"file, manifest and the first closed file removed", func(t *testing.T, dir string) {
		must(t,
			errors.Join(os.Remove(dir+"/audit.jsonl"), os.Remove(dir+"/audit.manifest"), os.Remove(names(t, dir)[0])))
	}, true, false},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// complete checks that a folder holds all of a list, and verifies.
func complete(t *testing.T, dir string, list []sink.Record, kept bool) {
	t.Helper()
	whole(t, dir, list)
	if aside, _ := filepath.Glob(dir + "/*.lost-*"); (len(aside) > 0) != kept {
		t.Fatalf("set aside: %v", aside)
	}
}

// whole wants the folder to verify, with every record.
func whole(t *testing.T, dir string, list []sink.Record) {
	t.Helper()
	if r := verify(t, dir); !r.Valid || r.Entries != uint64(len(list)) {
		t.Fatalf("%d entries of %d: %v", r.Entries, len(list), r.Problem)
	}
}

// TestLostWhileOpen: whatever is done to the file that grows is noticed at the next interval, without
// any write, and mended by opening the sink anew and giving it what its cursor says that it lacks.
func TestLostWhileOpen(t *testing.T) {
	for _, c := range losses {
		for mode, sync := range map[string]time.Duration{"interval": 5 * time.Millisecond, "batch": 0} {
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				dir, cfg, _ := filled(t, func(c *filesink.Config) {
					c.Path = strings.Replace(c.Path, "/audit", "/out/audit", 1)
					c.Sync = sync
				})
				dir += "/out"
				more := sinktest.Records(90, 1)
				s := open(t, cfg)
				if s.Mended() != "" {
					t.Fatal(s.Mended())
				}
				write(t, s, more[:80])
				if sync > 0 {
					for c, _ := s.Cursor(t.Context()); c.Next < 80; c, _ = s.Cursor(t.Context()) {
						time.Sleep(time.Millisecond)
					}
				}
				c.change(t, dir)
				select {
				case <-s.Lost():
				case <-time.After(10 * time.Second):
					t.Fatal("not noticed")
				}
				if err := s.Write(t.Context(), more[80:]); !errors.Is(err, sink.ErrLost) {
					t.Fatalf("Write: %v", err)
				}
				closeSink(t, s)
				s = open(t, cfg)
				at, err := s.Cursor(t.Context())
				must(t, err)
				write(t, s, more[at.Next:])
				closeSink(t, s)
				complete(t, dir, more, c.kept)
			})
		}
	}
}

// TestLostWhileClosed: the same done while the sink is closed is noticed when it is opened.
func TestLostWhileClosed(t *testing.T) {
	for _, c := range losses {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, cfg, list := filled(t, func(c *filesink.Config) {
				c.Path = strings.Replace(c.Path, "/audit", "/out/audit", 1)
			})
			dir += "/out"
			c.change(t, dir)
			s := open(t, cfg)
			at, err := s.Cursor(t.Context())
			must(t, err)
			// Where the head is gone, too, nothing says that there was a file.
			if at.Next < uint64(len(list)) && s.Mended() == "" && !c.mute {
				t.Error("nothing is told")
			}
			write(t, s, list[at.Next:])
			closeSink(t, s)
			complete(t, dir, list, c.kept)
		})
	}
}

// TestCutWhileWriting: a file that is emptied again and again while lines are written never keeps a hole.
func TestCutWhileWriting(t *testing.T) {
	dir := t.TempDir()
	cfg := filesink.Config{Path: filepath.Join(dir, "audit.jsonl"), Keys: ring, Sync: time.Millisecond}
	list := sinktest.Records(400, 1)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(3 * time.Millisecond):
				os.Truncate(cfg.Path, 0)
			}
		}
	}()
	s := open(t, cfg)
	deadline := time.Now().Add(time.Second)
	for next, lost := uint64(0), 0; ; {
		if time.Now().After(deadline) && stop != nil {
			close(stop)
			<-stopped
			stop = nil
		}
		if next < uint64(len(list)) {
			if err := s.Write(t.Context(), list[next:next+1]); err == nil {
				next++
				continue
			} else if !errors.Is(err, sink.ErrLost) {
				t.Fatal(err)
			}
		} else if stop == nil {
			err := s.Close()
			select {
			case <-s.Lost(): // Close need not say so again
			default:
				if err == nil {
					// A line that came between a cut and its discovery may have been set aside.
					whole(t, dir, list)
					return
				}
			}
			if err != nil && !errors.Is(err, sink.ErrLost) {
				t.Fatal(err)
			}
		} else {
			time.Sleep(time.Millisecond)
			continue
		}
		lost++
		s.Close()
		var err error
		for s, err = filesink.Open(t.Context(), cfg); errors.Is(err, io.EOF); { // it was cut while it was read
			s, err = filesink.Open(t.Context(), cfg)
		}
		must(t, err)
		at, err := s.Cursor(t.Context())
		must(t, err)
		next = at.Next
		if lost == 1 {
			t.Logf("first lost after %d entries", next)
		}
	}
}

// TestNotAFile: a path that leads to no regular file is refused.
func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/audit.jsonl", 0o700))
	if s, err := filesink.Open(t.Context(), filesink.Config{Path: dir + "/audit.jsonl", Keys: ring}); err == nil {
		closeSink(t, s)
		t.Fatal("opened")
	}
}
