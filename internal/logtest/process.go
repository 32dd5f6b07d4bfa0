package logtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
)

// FreeAddr is an address of the loopback on which nobody listens.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Child starts this test program once more, as another process with a variable in its environment
// that tells it what to do in place of tests. The process is killed when the test ends.
func Child(t testing.TB, variable string, args any, change func(*exec.Cmd)) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), variable+"="+string(text))
	c.Stderr = os.Stderr
	if change != nil {
		change(c)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Kill(c) })
	return c
}

// Kill ends a process with -9 and waits for its end. It may be called more than once.
func Kill(c *exec.Cmd) {
	c.Process.Kill()
	c.Wait()
}

// Main is the TestMain of a test program that Child starts: a process that has the variable in its
// environment runs child with the arguments, and all others run the tests.
func Main[T any](m *testing.M, variable string, child func(context.Context, T) error) {
	text := os.Getenv(variable)
	if text == "" {
		os.Exit(m.Run())
	}
	var args T
	err := json.Unmarshal([]byte(text), &args)
	if err == nil {
		err = child(context.Background(), args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
