package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func isURL(target string) bool {
	return strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://")
}

// urlOf completes an address such as 127.0.0.1:8420, unless there is a file of that name.
func (a *app) urlOf(target string) string {
	_, port, err := net.SplitHostPort(target)
	if err != nil || isURL(target) {
		return target
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return target
	}
	if _, err := os.Stat(target); err == nil {
		return target
	}
	return withScheme(target, a.overTLS)
}

// keysFor returns the keys to check a target with: those of --key, or else those of the context in
// use if the target is its server, or names its log.
func (c *verifyCmd) keysFor(a *app, target string) ([]string, error) {
	switch {
	case c.Key != "" || a.key == "":
		return readKeys(c.Key)
	case isURL(target):
		if target == a.server {
			return a.keys("")
		}
		return nil, nil
	}
	keys, err := a.keys("")
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(keys, func(vkey string) bool { return namesLog(target, vkey) }) {
		return keys, nil
	}
	if _, err := os.Stat(target); err != nil {
		return nil, nil // which Run says
	}
	name, _, _ := strings.Cut(keys[0], "+")
	fmt.Fprintf(a.err, "sealstream: note: not checked with the key of the context in use: it is that of %s\n",
		cell(name, 100))
	return nil, nil
}

// maxHead is longer than the part of any file that names its log: a proof has its checkpoint behind
// its entry.
const maxHead = 1 << 20

// namesLog reports whether a file, or the checkpoint or public key in a directory, has the name of
// a key. Whoever wrote it may say that it is of another log. Then this key proves nothing of it.
func namesLog(target, vkey string) bool {
	name, _, _ := strings.Cut(vkey, "+")
	for _, path := range []string{target, filepath.Join(target, "checkpoint"), filepath.Join(target, "log.pub")} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		head, err := io.ReadAll(io.LimitReader(f, maxHead))
		f.Close()
		if err == nil && bytes.Contains(head, []byte(name)) {
			return true
		}
	}
	return false
}
