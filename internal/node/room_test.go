//go:build linux

package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/demo"
	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestDiskFull fills the disk under a running log, by bytes and by inodes, while agents publish
// over HTTP and NATS. Within five seconds it must be told, and once there is room the log goes on
// by itself. Nothing that was acknowledged may be lost. SEALSTREAM_DISK_POINTS says how often; each
// time the disk is filled up to another point.
func TestDiskFull(t *testing.T) {
	points := 2
	if n, err := strconv.Atoi(os.Getenv("SEALSTREAM_DISK_POINTS")); err == nil {
		points = n
	}
	d := newSmallDisk(t, 96<<20, 2000)
	dir := d.join("d")
	cfg := UpConfig{Plugins: withPlugins, Data: dir, HTTP: logtest.FreeAddr(t), NATS: logtest.FreeAddr(t)}
	up := startProcess(t, cfg)
	publish := publishOver(t, cfg.NATS)
	publishers := []*publisher{
		{source: "did:web:http-stored", send: postOne(cfg.HTTP, "stored")}, {source: "did:web:http-sealed", send: postOne(cfg.HTTP, "sealed")},
		{source: "did:web:nats", send: publish},
	}
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for _, p := range publishers {
		group.Go(func() { p.run(ctx) })
	}
	acked := func() (n int64) {
		for _, p := range publishers {
			n += p.acked.Load()
		}
		return n
	}
	for i := range points {
		before := acked()
		waitUntil(t, up, 30*time.Second, "events are accepted", func() bool { return acked() > before+5 })
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		if i%2 == 0 {
			d.fill(t, uint64(rand.IntN(3))*uint64(rand.IntN(100_000)))
		} else {
			d.fillInodes(t)
		}
		filled := time.Now()
		waitUntil(t, up, 5*time.Second, "the full disk shows in /readyz, in the metrics and to the doctor",
			func() bool { return tellsDiskFull(cfg) })
		told := time.Since(filled)
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
		d.free(t)
		freed := time.Now()
		waitUntil(t, up, 30*time.Second, "the log is ready again by itself", func() bool {
			status, _ := fetch(cfg.HTTP, "/readyz", nil)
			return status == http.StatusOK
		})
		for _, p := range publishers {
			before := p.acked.Load()
			waitUntil(t, up, 30*time.Second, p.source+" is acknowledged again", func() bool {
				return p.acked.Load() > before
			})
		}
		t.Logf("point %d: told after %v, goes on %v after there is room", i, told.Round(time.Millisecond),
			time.Since(freed).Round(time.Millisecond))
	}
	stop()
	group.Wait()
	entries := sealedEntries(t, up)
	checkHistory(t, publishers, entries)
	if _, _, err := datadir.AuditDir(t.Context(), dir, audit.Config{}); err != nil {
		t.Fatalf("audit of the directory: %v", err)
	}
	t.Logf("%d points, %d acknowledged, %d entries", points, acked(), len(entries))
}

// TestBallast: when the disk is full, the ballast makes room for an alert, and it is there again afterwards.
func TestBallast(t *testing.T) {
	d := newSmallDisk(t, 32<<20, 1000)
	board := &health.Board{}
	path := d.join("ballast")
	w := disk.New(disk.Config{
		Folders: []disk.Folder{{Path: d.path, Canary: true}}, Limits: disk.Defaults, Ballast: path,
		Every: 10 * time.Millisecond, Board: board,
	})
	if f, err := os.Stat(path); err != nil || f.Size() != disk.BallastBytes {
		t.Fatalf("%v, %v", f, err)
	}
	d.fill(t, 0)
	if err := w.Look(); !errors.Is(err, disk.ErrNoRoom) {
		t.Fatal(err)
	}
	if s, err := disk.Look(d.path); err != nil || s.Free < disk.BallastBytes {
		t.Fatalf("%v, %v: no room for an alert", s, err)
	}
	d.free(t)
	go w.Run(t.Context())
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if f, err := os.Stat(path); err == nil && f.Size() == disk.BallastBytes && w.Full() == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the ballast does not come back: %v", w.Full())
		}
	}
}

// TestOnlyARestartHelps: /healthz is red when this process cannot mend itself, and green while it can.
func TestOnlyARestartHelps(t *testing.T) {
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for state, want := range map[health.State]int{
		health.OK: http.StatusOK, health.Failing: http.StatusOK, health.Dead: http.StatusServiceUnavailable,
	} {
		n.board.Set("store", state, "the store does not come back")
		if status, body := fetch(n.http.Addr().String(), "/healthz", nil); status != want ||
			want != http.StatusOK && !strings.Contains(string(body), "does not come back") {
			t.Errorf("%s: %d %s, want %d", state, status, body, want)
		}
	}
}

// tellsDiskFull says whether all that an operator looks at names the disk.
func tellsDiskFull(cfg UpConfig) bool {
	status, body := fetch(cfg.HTTP, "/readyz", nil)
	if status != http.StatusServiceUnavailable || !strings.Contains(string(body), "disk") {
		return false
	}
	if _, text := fetch(cfg.HTTP, "/metrics", nil); !strings.Contains(string(text),
		`sealstream_disk_refusing{log="default"} 1`) {
		return false
	}
	for _, f := range datadir.Diagnose(cfg.Data) {
		if f.What == "disk" && f.State == datadir.Wrong {
			return true
		}
	}
	return false
}

// sealedEntries stops a process, which seals all that was acknowledged, and exports the log from the next one.
func sealedEntries(t *testing.T, up *child) []entry.Entry {
	t.Helper()
	up.stop(t)
	up = startProcess(t, up.cfg)
	defer up.stop(t)
	waitUntil(t, up, 30*time.Second, "the index is built", func() bool {
		status, body := fetch(up.cfg.HTTP, "/readyz", nil)
		return status == http.StatusOK && strings.Contains(string(body), `"index":"ready"`)
	})
	key, err := datadir.PublicKey(up.cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := exported(t, up.cfg.HTTP, key)
	return entries
}

// waitUntil polls a condition of a process.
func waitUntil(t *testing.T, up *child, most time.Duration, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			_, ready := fetch(up.cfg.HTTP, "/readyz", nil)
			_, alive := fetch(up.cfg.HTTP, "/healthz", nil)
			log := up.stderr.String()
			t.Fatalf("not within %v: %s\nreadyz: %s\nhealthz: %s\nlog: …%s", most, what, ready, alive,
				log[max(0, len(log)-3000):])
		}
	}
}

// TestStoreFailsForGood lets writes fail although the disk has room: the server is started again in
// vain, and the process ends by itself and says why. The next one goes on.
func TestStoreFailsForGood(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	dir := filepath.Join(t.TempDir(), "d")
	cfg := UpConfig{Plugins: withPlugins, Data: dir, HTTP: logtest.FreeAddr(t), NATS: logtest.FreeAddr(t)}
	up := startProcess(t, cfg)
	p := &publisher{source: "did:web:a", send: postOne(cfg.HTTP, "sealed")}
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { p.run(ctx) })
	waitUntil(t, up, 10*time.Second, "events are acknowledged", func() bool { return p.acked.Load() > 100 })
	// room for the canary, and none for the blocks of a stream
	small := unix.Rlimit{Cur: 100 << 10, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(up.cmd.Process.Pid, unix.RLIMIT_FSIZE, &small, nil); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, up, 5*time.Second, "/readyz tells", func() bool {
		status, body := fetch(cfg.HTTP, "/readyz", nil)
		return status == http.StatusServiceUnavailable &&
			strings.Contains(string(body), "the store has stopped writing")
	})
	ended := make(chan error, 1)
	go func() { ended <- up.cmd.Wait() }()
	select {
	case err := <-ended:
		if err == nil ||
			!strings.Contains(up.stderr.String(), "the store does not write, although it was started again 4 times") {
			t.Fatalf("ended with %v:\n%s", err, up.stderr)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the process does not end by itself")
	}
	up = startProcess(t, cfg)
	before := p.acked.Load()
	waitUntil(t, up, 10*time.Second, "the next process goes on", func() bool { return p.acked.Load() > before })
	stop()
	group.Wait()
	entries := sealedEntries(t, up)
	checkHistory(t, []*publisher{p}, entries)
}

// TestDiskFilledByTheLog lets the log itself fill its disk, over HTTP and NATS at once. It refuses
// in time: no write fails, all that was acknowledged is sealed, and whoever publishes learns why.
func TestDiskFilledByTheLog(t *testing.T) {
	d := newSmallDisk(t, 64<<20, 5000)
	d.fill(t, 40<<20)
	dir := d.join("d")
	cfg := UpConfig{Plugins: withPlugins, Data: dir, HTTP: logtest.FreeAddr(t), NATS: logtest.FreeAddr(t)}
	up := startProcess(t, cfg)
	nc, err := nats.Connect("nats://" + cfg.NATS)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var refused atomic.Int64
	told := func(err error) error {
		if err != nil && strings.Contains(err.Error(), "less than its reserve") {
			refused.Add(1)
		}
		return err
	}
	post := postOne(cfg.HTTP, "stored")
	big := func(source string, send func(context.Context, entry.Event, []byte) error) *publisher {
		return &publisher{source: source, send: func(ctx context.Context, ev entry.Event, _ []byte) error {
			if err := ev.SetJSON(fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("0123456789 ", 20_000))); err != nil {
				return err
			}
			return told(send(ctx, ev, ev.AppendJSON(nil)))
		}}
	}
	publishers := []*publisher{
		big("did:web:http", post), big("did:web:http-too", post), big("did:web:http-three", post),
		big("did:web:nats", func(ctx context.Context, ev entry.Event, raw []byte) error {
			return demo.Publish(ctx, nc, "default", ev, raw)
		}),
	}
	ctx, stop := context.WithCancel(t.Context())
	quick, stopQuick := context.WithCancel(ctx) // those over HTTP, which alone would fill what becomes free
	var group sync.WaitGroup
	for i, p := range publishers {
		group.Go(func() { p.run([]context.Context{quick, quick, quick, ctx}[i]) })
	}
	waitUntil(t, up, 30*time.Second, "events are refused", func() bool {
		return refused.Load() > 20 && tellsDiskFull(cfg)
	})
	n := int64(0)
	for _, p := range publishers {
		n += p.acked.Load()
	}
	waitUntil(t, up, 10*time.Second, "all that was acknowledged is sealed", func() bool {
		_, body := fetch(cfg.HTTP, "/v1/stats", nil)
		var s struct {
			TreeSize int64 `json:"tree_size"`
		}
		return json.Unmarshal(body, &s) == nil && s.TreeSize > n
	})
	if log := up.stderr.String(); strings.Contains(strings.ToLower(log), "write error") {
		t.Fatalf("a write failed:\n%s", log)
	}
	stopQuick()
	d.free(t)
	before := publishers[3].acked.Load()
	waitUntil(t, up, 10*time.Second, "an event over NATS is acknowledged again", func() bool {
		return publishers[3].acked.Load() > before
	})
	if _, err := receipts(cfg.HTTP, "stored",
		[]byte(`{"specversion":"1.0","id":"after","source":"did:web:after","type":"t","agentseq":0}`)); err != nil {
		t.Error(err)
	}
	stop()
	group.Wait()
	entries := sealedEntries(t, up)
	checkHistory(t, publishers, entries)
	t.Logf("%d acknowledged before the disk was full, %d entries in all", n, len(entries))
}

// TestStartOnFullDisk: a log does not start where nothing can be written, and says so; when there
// is room it starts with all that it had, even if it was killed while the disk was full.
func TestStartOnFullDisk(t *testing.T) {
	d := newSmallDisk(t, 48<<20, 2000)
	dir := d.join("d")
	cfg := UpConfig{Plugins: withPlugins, Data: dir, HTTP: logtest.FreeAddr(t), NATS: logtest.FreeAddr(t)}
	up := startProcess(t, cfg)
	p := &publisher{source: "did:web:a", send: postOne(cfg.HTTP, "stored")}
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { p.run(ctx) })
	waitUntil(t, up, 10*time.Second, "events are acknowledged", func() bool { return p.acked.Load() > 50 })
	d.fill(t, 0)
	time.Sleep(100 * time.Millisecond)
	up.kill()
	d.fill(t, 0)
	cfg.Logger = nil
	n, err := Up(t.Context(), cfg)
	if err == nil {
		n.Close()
		t.Fatal("it started on a full disk")
	}
	if !strings.Contains(err.Error(), "nothing can be written") || !strings.Contains(err.Error(), "no space left") {
		t.Fatal(err)
	}
	d.free(t)
	up = startProcess(t, cfg)
	before := p.acked.Load()
	waitUntil(t, up, 10*time.Second, "events are acknowledged again", func() bool { return p.acked.Load() > before })
	stop()
	group.Wait()
	entries := sealedEntries(t, up)
	checkHistory(t, []*publisher{p}, entries)
}
