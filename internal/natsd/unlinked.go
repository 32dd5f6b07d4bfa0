package natsd

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// Unlinked returns the message files that the server has open but that no longer have their names.
// What the server writes there is acknowledged, and lost when it ends. A purge removes files, too,
// so only a file that two calls return was removed by somebody else. Messages of an uncommitted
// batch do not count: the server removes them, and leaves some of these files open when the disk is
// full. It works only on Linux.
func (s *Server) Unlinked() []string {
	const fds = "/proc/self/fd"
	root, err := filepath.EvalSymlinks(filepath.Join(s.cfg.StoreDir, server.JetStreamStoreDir))
	if err != nil {
		return nil
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil
	}
	open, err := os.ReadDir(fds)
	if err != nil {
		return nil
	}
	var list []string
	for _, fd := range open {
		path, err := os.Readlink(filepath.Join(fds, fd.Name()))
		if err != nil || !ofStream(root, path) {
			continue
		}
		name, deleted := strings.CutSuffix(path, " (deleted)")
		renamed := strings.Contains(filepath.Base(name), ".blk") && filepath.Ext(name) != ".blk" &&
			filepath.Ext(name) != ".tmp"
		if deleted && filepath.Ext(name) == ".blk" || renamed {
			list = append(list, name)
		}
	}
	return list
}

// ofStream reports whether path is <account>/streams/<stream>/msgs/<file> below root.
func ofStream(root, path string) bool {
	rel, below := strings.CutPrefix(path, root+string(filepath.Separator))
	parts := strings.Split(rel, string(filepath.Separator))
	return below && len(parts) == 5 && parts[1] == "streams" && parts[3] == "msgs"
}
