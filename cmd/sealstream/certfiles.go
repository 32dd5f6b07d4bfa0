package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/durable"
	"github.com/sealstream/sealstream/internal/privateca"
)

// maxDays bounds the validity of certificates. A later end has no form in X.509's usual times.
const maxDays = 36500

func days(n int) (time.Duration, error) {
	if n < 1 || n > maxDays {
		return 0, fmt.Errorf("--days must be 1 to %d", maxDays)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

// absent fails if one of the files exists.
func absent(paths ...string) error {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s exists already, and is not overwritten", path)
		}
	}
	return nil
}

// writePair creates both files, the key for its owner alone. A crash between them leaves a key
// without a certificate, which is of no use to anybody.
func writePair(cert, key string, p privateca.Pair) error {
	if err := create(key, p.Key, 0o600); err != nil {
		return err
	}
	if err := create(cert, p.Cert, 0o644); err != nil {
		return errors.Join(err, os.Remove(key))
	}
	return nil
}

// create writes a new file. Unlike durable.WriteFile, it replaces none, even if another program
// makes one at the same time.
func create(path string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return durable.SyncDir(filepath.Dir(path))
}

// dirFlag returns the flag --dir that a suggested command needs, with a space before it.
func dirFlag(dir string) string {
	if rel := shellPath(dir); rel != "certs" {
		return " --dir " + shellWord(rel)
	}
	return ""
}

// hostPort returns the address of a server of a name. A pattern or SPIFFE ID names no host.
func hostPort(name, port string) string {
	if strings.HasPrefix(name, "*") || strings.Contains(name, "://") {
		name = "HOST"
	}
	return net.JoinHostPort(name, port)
}
