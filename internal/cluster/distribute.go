package cluster

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sealstream/sealstream/internal/datadir"
)

// NATSFolder is where Distribute puts what the NATS nodes are given.
const NATSFolder = "nats"

// Distribute gives each role its own files of what WriteConfig wrote to a folder: its seed as
// nats.nk, the log's public keys and, with TLS, the CA that verifies the servers, in a folder of
// the role's name, which may be a volume of its own; the nodes get their configuration. The
// sealer's folder may be the folder of the log's keys, so that these are in one place; elsewhere
// they are copied where there are none. It can be called again, and copies what has changed.
func Distribute(from, to, log string) error {
	copies := [][2]string{
		{
			"users.conf",
			NATSFolder + "/users.conf",
		}, {"routes.conf", NATSFolder + "/routes.conf"}, {"nats.conf", NATSFolder + "/nats.conf"},
	}
	_, err := os.Stat(filepath.Join(from, FileCA))
	overTLS := err == nil
	if overTLS {
		for _, name := range []string{FileCA, fileCert, fileKey} {
			copies = append(copies, [2]string{name, NATSFolder + "/" + name})
		}
	}
	for _, r := range Roles(log) {
		if overTLS {
			copies = append(copies, [2]string{FileCA, r.Name + "/" + FileCA})
		}
		copies = append(
			copies,
			[2]string{r.Name + ".nkey", r.Name + "/nats.nk"},
			[2]string{"keys/" + datadir.FilePublic, r.Name + "/" + datadir.FilePublic},
		)
	}
	for _, c := range copies {
		err := handOut(filepath.Join(from, c[0]), filepath.Join(to, c[1]))
		if errors.Is(err, syscall.EROFS) && strings.HasPrefix(c[1], RoleSink+"/") {
			continue // containers of an earlier release have no volume for this role, and no such program
		} else if err != nil {
			return err
		}
	}
	for _, name := range []string{datadir.FileSecret, datadir.FileKey} {
		file := filepath.Join(to, RoleSealer, name)
		if _, err := os.Stat(file); err == nil {
			continue // it may be newer than ours: a rotation is done where the sealer reads it
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := handOut(filepath.Join(from, "keys", name), file); err != nil {
			return err
		}
	}
	return nil
}

// handOut copies a file with its mode, unless it is there already.
func handOut(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(to); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return datadir.WriteFile(to, text, info.Mode().Perm())
}
