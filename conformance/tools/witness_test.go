package interop

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// other is a running witness of others.
type other struct{ name, vkey, url string }

// cosignerKey is the verifier key of an Ed25519 cosigner (c2sp.org/tlog-cosignature): type 4.
func cosignerKey(name string, pub ed25519.PublicKey) string {
	key := append([]byte{4}, pub...)
	id := sha256.Sum256(append([]byte(name+"\n"), key...))
	return fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(key))
}

// background runs a program of others until the test ends, and waits until it listens. No name but
// the loopback's is resolved for it: what it would fetch elsewhere goes to a proxy that is not
// there.
func background(t *testing.T, address, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(filepath.Join(the.tools, name), args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1",
		"NO_PROXY=127.0.0.1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", name, tail(out.String()))
		}
	})
	if err := await(name+" listening", func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}); err != nil {
		t.Fatal(err)
	}
}

// litewitness has its key in an SSH agent, and its logs in a database that a program of its own
// fills, which cannot be had.
func litewitness(t *testing.T, dir string) other {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(the.tools, "agent"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); agent.ServeAgent(keys, conn) }()
		}
	}()
	public, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "lite.db")
	origin, _, _ := strings.Cut(the.vkey, "+")
	known, err := sqlite.OpenConn(db)
	if err != nil {
		t.Fatal(err)
	}
	empty := sha256.Sum256(nil)
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{"CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL)", nil},
		{"CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin))", nil},
		{"INSERT INTO log VALUES (?, 0, ?)", []any{origin, base64.StdEncoding.EncodeToString(empty[:])}},
		{"INSERT INTO key VALUES (?, ?)", []any{origin, the.vkey}},
	} {
		if err := sqlitex.Execute(known, statement.sql, &sqlitex.ExecOptions{Args: statement.args}); err != nil {
			t.Fatal(err)
		}
	}
	if err := known.Close(); err != nil {
		t.Fatal(err)
	}
	address, _, err := addresses()
	if err != nil {
		t.Fatal(err)
	}
	name := "witness.example/lite"
	background(t, address, "litewitness", "-db", db, "-name", name, "-ssh-agent", socket.Addr().String(), "-key",
		ssh.FingerprintSHA256(public), "-listen", address)
	return other{"lite", cosignerKey(name, pub), "http://" + address}
}

func omniwitness(t *testing.T, dir string) other {
	t.Helper()
	name := "witness.example/omni"
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(vkey, "+", 3)[2])
	if err != nil {
		t.Fatal(err)
	}
	origin, _, _ := strings.Cut(the.vkey, "+")
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	address, metrics, err := addresses()
	if err != nil {
		t.Fatal(err)
	}
	background(t, address, "omniwitness", "--listen", address, "--metrics_listen", metrics, "--db_file",
		filepath.Join(dir, "omni.db"),
		"--private_key_path", write("omni.key", skey),
		"--additional_logs",
		write("logs.yaml",
			fmt.Sprintf("Logs:\n  - Origin: %s\n    URL: %s/\n    PublicKey: %s\n    Feeder: tiles\n", origin, the.url,
				the.vkey)))
	return other{"omni", cosignerKey(name, raw[1:]), "http://" + address}
}

// submit sends a witness a checkpoint, and returns the status that it answers with.
func submit(t *testing.T, w other, old int64, checkpoint []byte) int {
	t.Helper()
	body := append(fmt.Appendf(nil, "old %d\n\n", old), checkpoint...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// record posts an event, and returns its receipt and the checkpoint that covers it.
func record(t *testing.T, url, id, wait string) (status string, checkpoint []byte) {
	t.Helper()
	event := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"did:web:agent.example.com",`+
		`"type":"ai.agentmesh.tool.invoked"}`, id)
	resp, err := http.Post(url+"/v1/events?wait="+wait, "application/cloudevents+json", strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Receipts []struct{ Status, Checkpoint string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Receipts) != 1 {
		t.Fatalf("%s: %+v %v", resp.Status, answer, err)
	}
	return answer.Receipts[0].Status, []byte(answer.Receipts[0].Checkpoint)
}

// TestWitnesses: two witnesses of others cosign the checkpoints of the log, before and after it was
// started anew; what they have cosigned is taken by torchwood and by verify. A fork of it, under
// the same key, they refuse, and a checkpoint with one flipped bit.
func TestWitnesses(t *testing.T) {
	dir := t.TempDir()
	witnesses := []other{litewitness(t, dir), omniwitness(t, dir)}
	text := "log " + the.vkey + "\n"
	logKey, err := note.NewVerifier(the.vkey)
	if err != nil {
		t.Fatal(err)
	}
	all := []torchwood.Policy{torchwood.OriginPolicy(logKey.Name()), torchwood.SingleVerifierPolicy(logKey)}
	for _, w := range witnesses {
		text += fmt.Sprintf("witness %s %s %s\n", w.name, w.vkey, w.url)
		v, err := torchwood.NewCosignatureVerifier(w.vkey)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, torchwood.SingleVerifierPolicy(v))
	}
	policyFile := filepath.Join(dir, "policy")
	if err := os.WriteFile(policyFile, []byte(text+"group both all lite omni\nquorum both\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var newest []byte
	var tree tlog.Tree
	for run := range 2 {
		url, stop, err := start(the.data, "--witness-policy", policyFile)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		for i := range 3 {
			status, note := record(t, url, fmt.Sprintf("w-%d-%d", run, i), "witnessed")
			cp, _, err := torchwood.VerifyCheckpoint(note, torchwood.ThresholdPolicy(len(all), all...))
			if err != nil || status != "witnessed" || cp.N <= max(tree.N, logSize+1) {
				t.Fatalf("run %d: %s after size %d: %v\n%s", run, status, tree.N, err, note)
			}
			newest, tree = note, cp.Tree
		}
		if out, err := tool(t, 2*time.Minute, "sealstream", "verify", url, "--key", filepath.Join(the.data, "log.pub"),
			"--policy", policyFile, "--no-state"); err != nil {
			t.Fatalf("verify: %v\n%s", err, out)
		}
		stop()
	}
	forked(t, witnesses, tree)
	for _, w := range witnesses {
		bad := bytes.Clone(newest)
		bad[bytes.Index(bad, []byte("\n\n"))-10] ^= 1
		if status := submit(t, w, tree.N, bad); status == http.StatusOK { // omniwitness calls that a failure of its own
			t.Errorf("%s, a flipped bit: status %d", w.name, status)
		}
		if status := submit(t, w, tree.N, newest); status != http.StatusOK {
			t.Errorf("%s, what it has cosigned: status %d", w.name, status)
		}
	}
}

// forked goes on with another copy of the log, up to the same size, and asks the witnesses for it.
func forked(t *testing.T, witnesses []other, tree tlog.Tree) {
	t.Helper()
	url, stop, err := start(filepath.Join(filepath.Dir(the.data), "fork"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	var note []byte
	for i := int64(logSize + 1); i < tree.N; i++ {
		_, note = record(t, url, fmt.Sprint("f-", i), "sealed") // what is served may be a second behind that
	}
	cp, _, err := torchwood.VerifyCheckpoint(note, policy(t))
	if err != nil || cp.N != tree.N || cp.Hash == tree.Hash {
		t.Fatalf("no fork of size %d: %v\n%s", tree.N, err, note)
	}
	for _, w := range witnesses {
		if status := submit(t, w, tree.N, note); status < 400 || status >= 500 {
			t.Errorf("%s takes a second root of size %d: status %d", w.name, tree.N, status)
		}
	}
}
