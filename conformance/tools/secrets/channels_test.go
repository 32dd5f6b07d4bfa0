package secrets

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A channel brings events, CloudEvents as JSON, to a running log.
type channel struct {
	name string
	send func(t *testing.T, l *running, events [][]byte)
}

var channels = []channel{
	{"http", sendHTTP}, {"nats", sendNATS}, {"submit", sendSubmit}, {"import", sendImport}, {"sdk", sendSDK},
}

const agent = "did:web:a.example.com:b"

// TestChannels: a sample of gitleaks' secrets is in no entry of the log, whichever way it came.
func TestChannels(t *testing.T) {
	l := start(t)
	var sample []secret
	for i, r := range rules(t) {
		if strings.HasSuffix(r.RuleID, "-id") && deliberate[r.RuleID] != "" || r.Regex == nil {
			continue
		}
		sample = append(sample, generate(t, r, int64(2000+i))[0])
	}
	s := set(t)
	for _, c := range channels {
		t.Run(c.name, func(t *testing.T) {
			var events [][]byte
			for i, sec := range sample {
				at := surroundings[i%len(surroundings)]
				event, err := json.Marshal(map[string]any{
					"specversion": "1.0", "id": fmt.Sprintf("%s-%d", c.name, i), "source": agent, "type": "t",
					"data": map[string]string{"text": at[0] + sec.text + at[1]},
				})
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, event)
			}
			c.send(t, l, events)
			entries := l.entries(t, c.name, len(events))
			missed := 0
			for i, sec := range sample {
				id := fmt.Sprintf("%s-%d", c.name, i)
				entry, ok := entries[id]
				if !ok {
					t.Fatalf("%s is not in the log", id)
				}
				at := surroundings[i%len(surroundings)]
				if want, _ := s.Text([]byte(at[0] + sec.text + at[1])); entry != string(want) {
					t.Errorf("%s: %q stands in the log, want %q", id, entry, want)
				}
				if strings.Contains(entry, sec.secret) {
					missed++
				}
			}
			t.Logf("%d of %d stay", missed, len(sample))
			if missed*50 > len(sample) {
				t.Errorf("%d of %d stay", missed, len(sample))
			}
		})
	}
}

// running is a log in a process of its own.
type running struct{ program, http, nats string }

func start(t *testing.T) *running {
	t.Helper()
	dir := t.TempDir()
	l := &running{program: filepath.Join(dir, "sealstream"), http: free(t), nats: free(t)}
	build := exec.Command("go", "build", "-o", l.program, "./cmd/sealstream")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	up := exec.Command(l.program, "up", "--data", filepath.Join(dir, "data"), "--http", l.http, "--nats", l.nats)
	up.Stderr = os.Stderr
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		up.Process.Signal(syscall.SIGTERM)
		up.Wait()
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get("http://" + l.http + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return l
			}
		}
		if time.Now().After(end) {
			t.Fatal("the log is not ready within a minute")
		}
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// entries waits until the log has n entries of a channel, and returns the texts of their data by id.
func (l *running) entries(t *testing.T, prefix string, n int) map[string]string {
	t.Helper()
	found := map[string]string{}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		clear(found)
		for next := ""; ; {
			var page struct {
				Entries []struct {
					ID   string `json:"entry_id"`
					Data struct{ Text string }
				} `json:"entries"`
				Next string `json:"next_cursor"`
			}
			address := "http://" + l.http + "/v1/entries?limit=1000"
			if next != "" {
				address += "&cursor=" + next
			}
			answer, err := http.Get(address)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(body, &page) != nil {
				t.Fatalf("%v %s %.300s", err, answer.Status, body)
			}
			for _, e := range page.Entries {
				if strings.HasPrefix(e.ID, prefix+"-") {
					found[e.ID] = e.Data.Text
				}
			}
			if next = page.Next; next == "" {
				break
			}
		}
		if len(found) == n {
			return found
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d entries within a minute", len(found), n)
		}
	}
}

func sendHTTP(t *testing.T, l *running, events [][]byte) {
	body := append(append([]byte("["), bytes.Join(events, []byte(","))...), ']')
	answer, err := http.Post("http://"+l.http+"/v1/events", "application/cloudevents-batch+json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode/100 != 2 {
		t.Fatalf("%s: %.500s", answer.Status, text)
	}
}

func sendNATS(t *testing.T, l *running, events [][]byte) { publish(t, l, "events", events) }

func sendSubmit(t *testing.T, l *running, events [][]byte) { publish(t, l, "submit", events) }

// publish speaks NATS' protocol (docs.nats.io/reference/reference-protocols/nats-protocol), and
// waits for an answer to each event.
func publish(t *testing.T, l *running, role string, events [][]byte) {
	t.Helper()
	conn, err := net.Dial("tcp", l.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	hash := sha256.Sum256([]byte(agent))
	token := strings.ToLower(base32.StdEncoding.EncodeToString(hash[:]))[:26]
	fmt.Fprintf(conn, "CONNECT {\"verbose\":false}\r\nSUB _INBOX.secrets.* 1\r\n")
	r := bufio.NewReader(conn)
	for i, event := range events {
		fmt.Fprintf(conn, "PUB audit.default.%s.%s _INBOX.secrets.%d %d\r\n%s\r\n", role, token, i, len(event), event)
		for answered := false; !answered; {
			line, err := r.ReadString('\n')
			switch {
			case err != nil || strings.HasPrefix(line, "-ERR"):
				t.Fatalf("%v %s", err, line)
			case strings.HasPrefix(line, "PING"):
				fmt.Fprint(conn, "PONG\r\n")
			case strings.HasPrefix(line, "MSG"):
				answer, err := r.ReadString('\n')
				if err != nil || strings.Contains(answer, `"error"`) {
					t.Fatalf("%v %s", err, answer)
				}
				answered = true
			}
		}
	}
}

func sendImport(t *testing.T, l *running, events [][]byte) {
	file := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(file, append(bytes.Join(events, []byte("\n")), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(l.program, "import", "--server", "http://"+l.http, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

const sender = `
import json, sys
import sealstream
with sealstream.Client(sys.argv[1], spool=sys.argv[2], sync=False) as client:
    client.send_batch([json.loads(line) for line in sys.stdin], wait="stored", timeout=60)
`

func sendSDK(t *testing.T, l *running, events [][]byte) {
	python := exec.Command("python3", "-c", sender, "http://"+l.http, filepath.Join(t.TempDir(), "spool"))
	python.Dir, python.Stdin = "../../../sdk/python", bytes.NewReader(append(bytes.Join(events, []byte("\n")), '\n'))
	if out, err := python.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
