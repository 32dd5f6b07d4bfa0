package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/health"
)

func TestLevel(t *testing.T) {
	for _, c := range []struct {
		level      disk.Level
		size, want uint64
	}{
		{disk.Level{}, 1000, 0},
		{disk.Level{Share: .05}, 1000, 50},
		{disk.Level{Most: 70}, 1000, 70},
		{disk.Level{Share: .05, Most: 70}, 1000, 50},
		{disk.Level{Share: .05, Most: 70}, 10_000, 70},
		{disk.Defaults.Reserve, 64 << 20, 3355443},
		{disk.Defaults.Reserve, 1 << 40, 1 << 30},
		{disk.Defaults.Warn, 1 << 40, 10 << 30},
	} {
		if got := c.level.Of(c.size); got != c.want {
			t.Errorf("%+v of %d: %d, want %d", c.level, c.size, got, c.want)
		}
	}
}

func TestLook(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.Look(dir)
	if err != nil || s.Size == 0 || s.Free > s.Size || s.Inodes > s.AllInodes {
		t.Fatalf("%+v, %v", s, err)
	}
	if above, err := disk.Look(filepath.Join(dir, "not", "yet")); err != nil || above.Size != s.Size {
		t.Fatalf("of a folder that is to be made: %+v, %v", above, err)
	}
}

// TestWatcher: the states by the limits, whatever the disk of this machine.
func TestWatcher(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := disk.Level{Most: s.Size + 1}
	inodes := disk.Level{Most: s.AllInodes + 1}
	for _, c := range []struct {
		name   string
		limits disk.Limits
		state  health.State
		text   string
	}{
		{"no limits", disk.Limits{}, health.OK, ""},
		{"warn", disk.Limits{Warn: all}, health.Warning, "free, less than"},
		{"reserve", disk.Limits{Warn: all, Reserve: all}, health.Failing, "less than its reserve"},
		{"inodes", disk.Limits{ReserveInodes: inodes}, health.Failing, "inodes"},
	} {
		if s.AllInodes == 0 && c.name == "inodes" {
			continue // of a file system that does not count them
		}
		var b health.Board
		w := disk.New(disk.Config{Folders: []disk.Folder{{Path: dir, Canary: true}}, Limits: c.limits, Board: &b})
		got := b.Worst()
		if got.State != c.state || !strings.Contains(got.Text, c.text) || got.Name != "disk" {
			t.Errorf("%s: %+v", c.name, got)
		}
		for _, err := range []error{w.Full(), w.Room(0)} {
			if (err != nil) != (c.state == health.Failing) || err != nil && !errors.Is(err, disk.ErrNoRoom) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

// TestAdvise: a process that goes on without room is not failing.
func TestAdvise(t *testing.T) {
	s, err := disk.Look(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var b health.Board
	w := disk.New(disk.Config{
		Folders: []disk.Folder{{Path: t.TempDir()}}, Limits: disk.Limits{Reserve: disk.Level{Most: s.Size + 1}},
		Board: &b, Advise: true,
	})
	if c := b.Worst(); c.State != health.Warning || !strings.Contains(c.Text, "less than its reserve") ||
		w.Full() == nil {
		t.Fatalf("%+v, %v", c, w.Full())
	}
}

// TestBallast: a file that takes room is there while there is room above the reserve.
func TestBallast(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ballast")
	for _, c := range []struct {
		reserve uint64
		there   bool
	}{{s.Size, false}, {1, true}, {1, true}} {
		var b health.Board
		disk.New(disk.Config{
			Folders: []disk.Folder{{Path: dir}}, Ballast: path,
			Limits: disk.Limits{Reserve: disk.Level{Most: c.reserve}}, Board: &b,
		})
		if f, err := os.Stat(path); (err == nil) != c.there || c.there && f.Size() != disk.BallastBytes {
			t.Errorf("with a reserve of %d: %v, %v", c.reserve, f, err)
		}
	}
}

// TestOwed: what was accepted and takes room later is held back beside the reserve.
func TestOwed(t *testing.T) {
	dir := t.TempDir()
	var b health.Board
	w := disk.New(disk.Config{
		Folders: []disk.Folder{{Path: dir}}, Limits: disk.Limits{Reserve: disk.Level{Most: 1}}, Board: &b,
	})
	if err := w.Room(1); err != nil {
		t.Fatal(err)
	}
	if err := w.Room(1 << 60); !errors.Is(err, disk.ErrNoRoom) {
		t.Fatalf("a disk has room for an exabyte: %v", err)
	}
	if n := len(disk.New(disk.Config{
		Folders: []disk.Folder{{Path: dir}, {Path: dir + "/"}, {Path: dir, Canary: true}}, Board: &b,
	}).Folders()); n != 1 {
		t.Fatalf("%d folders, want 1", n)
	}
	w.Owe(0)
	if err := w.Room(1); err != nil {
		t.Fatal(err)
	}
}

// TestSpare: what is above the reserve may be written for convenience.
func TestSpare(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ reserve, least, most uint64 }{
		{1, s.Free / 2, s.Size}, {s.Free / 2, 0, s.Free}, {s.Size, 0, 0},
	} {
		var b health.Board
		w := disk.New(disk.Config{
			Folders: []disk.Folder{{Path: dir}}, Limits: disk.Limits{Reserve: disk.Level{Most: c.reserve}}, Board: &b,
		})
		if got := w.Spare(); got < c.least || got > c.most {
			t.Errorf("%d bytes above a reserve of %d, %d are free", got, c.reserve, s.Free)
		}
	}
}

// TestCanary: a folder in which nothing can be written is full, whatever its numbers.
func TestCanary(t *testing.T) {
	dir := t.TempDir()
	if err := disk.Canary(dir); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		t.Fatalf("the canary left %v, %v", list, err)
	}
	var b health.Board
	w := disk.New(disk.Config{Folders: []disk.Folder{{Path: filepath.Join(dir, "gone"), Canary: true}}, Board: &b})
	if c := b.Worst(); c.State != health.Failing || !errors.Is(w.Full(), disk.ErrNoRoom) ||
		!strings.Contains(c.Text, "nothing can be written into") {
		t.Fatalf("%+v, %v", c, w.Full())
	}
}

// BenchmarkRoom is what each group of events costs.
func BenchmarkRoom(b *testing.B) {
	var board health.Board
	w := disk.New(disk.Config{
		Folders: []disk.Folder{{Path: b.TempDir()}, {Path: b.TempDir()}, {Path: b.TempDir()}}, Limits: disk.Limits{},
		Board: &board,
	})
	for b.Loop() {
		if err := w.Room(1); err != nil {
			b.Fatal(err)
		}
	}
}
