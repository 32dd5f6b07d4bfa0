package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealstream/sealstream/internal/tlsfiles"
)

// TestMain lets the scripts in testdata run this very program under its name, each time as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(ownConfig{m}, map[string]func(){
		"sealstream": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"nats": func() { // for the samples of the documentation
			if err := natsTool(os.Args[1:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		},
	})
}

// ownConfig runs the tests with a configuration folder of their own: verify remembers there what it has seen.
type ownConfig struct{ *testing.M }

func (m ownConfig) Run() int {
	dir, err := os.MkdirTemp("", "sealstream-config-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv("XDG_CONFIG_HOME", dir)
	return m.M.Run()
}

// TestScripts runs testdata/*.txtar. Beside the usual commands they have
//
//	ports NAME…    gives each variable a free loopback address, and NAME_PORT its port
//	ready ADDR     waits until the API at an address says that it is ready, over TLS if a CA file is named
//	refused ADDR   waits until it says that it is not
//	alerts ADDR ID waits until the event of that id is told
//	counted ADDR Q waits until some entry matches the query string Q
//	printed F TEXT waits until a text stands in a file
//	alter F A B    replaces the first A in a file by B
//	tiles F D      writes the tiles of the log in an export to a directory
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			demo, err := filepath.Abs("../../internal/demo/tau-airline.jsonl")
			if err != nil {
				return err
			}
			verifier, err := filepath.Abs("../../sdk/python/sealstream_verify.py")
			toolkit, err2 := filepath.Abs("../../internal/agt/testdata")
			if err2 != nil {
				return err2
			}
			e.Setenv("AIRLINE", demo)
			e.Setenv("AGT", toolkit)
			e.Setenv("VERIFIER", verifier)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, ".config"))
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports": ports, "ready": ready, "refused": refused, "alerts": alerts, "alter": alter, "counted": counted, "printed": printed, "tiles": tiles,
		},
	})
}

func ports(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close() // all are held until all are chosen
		ts.Setenv(name, l.Addr().String())
		ts.Setenv(name+"_PORT", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	}
}

func ready(ts *testscript.TestScript, neg bool, args []string) { answers(ts, http.StatusOK, args) }

func refused(ts *testscript.TestScript, neg bool, args []string) {
	answers(ts, http.StatusServiceUnavailable, args)
}

// answers waits until /readyz at an address has a status.
func answers(ts *testscript.TestScript, status int, args []string) {
	url, files := "http://"+args[0]+"/readyz", tlsfiles.ClientFiles{}
	if len(args) > 1 {
		url, files.CA = "https://"+args[0]+"/readyz", ts.MkAbs(args[1])
	}
	web, err := transportOver(files)
	ts.Check(err)
	deadline := time.Now().Add(30 * time.Second)
	for {
		resp, err := (&http.Client{Transport: web}).Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == status {
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not answer with %d: %v", args[0], status, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alerts ADDR ID waits until the API at an address lists an alert of an entry with an id.
func alerts(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + args[0] + "/v1/alerts?limit=1000")
		if err == nil {
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if bytes.Contains(b, []byte(`"entry_id":"`+args[1]+`"`)) {
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not tell of %s: %v", args[0], args[1], err)
		}
	}
}

// counted ADDR QUERY waits until some entry matches.
func counted(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + args[0] + "/v1/counts?" + args[1])
		if err == nil {
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK && !bytes.Contains(b, []byte(`"matches":0,`)) {
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s has no entry of %s: %v", args[0], args[1], err)
		}
	}
}

// printed FILE TEXT waits until a text stands in a file that a program writes.
func printed(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && bytes.Contains(b, []byte(args[1])) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not come to hold %q: %v\n%s", args[0], args[1], err, b)
		}
	}
}

// alter FILE OLD NEW replaces the first occurrence of a text in a file.
func alter(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if !bytes.Contains(b, []byte(args[1])) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, bytes.Replace(b, []byte(args[1]), []byte(args[2]), 1), 0o644))
}
