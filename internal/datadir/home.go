package datadir

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/flock"
	"github.com/sealstream/sealstream/internal/store"
)

// ErrEmptied reports that the streams of a data directory are empty although a log ran on it.
var ErrEmptied = errors.New("the data directory has lost its log")

// home is the file `home` of a data directory: where a log last ran on it. A copy carries the file
// along, and is told from the original by it: a copy and its original, both started, sign two
// histories with one key, which neither of them can see.
type home struct {
	Host    string    `json:"host"`
	Machine string    `json:"machine_id,omitempty"` // /etc/machine-id; a container may have none
	Boot    string    `json:"boot_id,omitempty"`    // changes when the machine starts
	Path    string    `json:"path"`
	Inode   uint64    `json:"inode,omitempty"`
	Device  uint64    `json:"device,omitempty"` // means something during one boot
	Started time.Time `json:"started"`          // when the log was last started
}

// homeOf describes the directory at path as it is now.
func homeOf(path string) home {
	h := home{
		Machine: firstLine("/etc/machine-id"),
		Boot:    firstLine("/proc/sys/kernel/random/boot_id"),
		Path:    path,
		Started: time.Now().UTC(),
	}
	h.Host, _ = os.Hostname()
	if abs, err := filepath.Abs(path); err == nil {
		h.Path = abs
	}
	if info, err := os.Stat(path); err == nil {
		h.Device, h.Inode = fileID(info)
	}
	return h
}

func firstLine(path string) string {
	b, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

// moved says in a sentence why now is not where a log last ran, or "". A container has another host
// name at each start, so the name counts only where nothing else tells two machines apart.
func (h home) moved(now home) string {
	last := fmt.Sprintf(
		"a log last ran on this data directory on host %s (boot %s) at %s, started %s",
		h.Host,
		h.Boot,
		h.Path,
		h.Started.Format(time.RFC3339),
	)
	sameBoot := h.Boot != "" && h.Boot == now.Boot
	switch {
	case !sameBoot && h.Machine != now.Machine, !sameBoot && h.Machine == "" && h.Host != now.Host:
		return last + fmt.Sprintf("; this is host %s", now.Host)
	case h.Inode != now.Inode, sameBoot && h.Device != now.Device:
		return last + "; this is a copy of it, or it was restored"
	}
	return ""
}

// readHome reads the file; fs.ErrNotExist means that no log has run here since the file exists.
func readHome(dir string) (h home, err error) {
	b, err := os.ReadFile(filepath.Join(dir, fileHome))
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("%s: %w", filepath.Join(dir, fileHome), err)
	}
	return h, nil
}

// Settle warns when the directory is not where its log last ran, and takes it over.
func (d *Dir) Settle(logger *slog.Logger) error {
	now := homeOf(d.Path)
	last, err := readHome(d.Path)
	if err == nil {
		if why := last.moved(now); why != "" {
			logger.Warn(why + "; never start both: they would sign two histories with one key")
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		logger.Warn("where the log last ran is unknown", "cause", err)
	}
	b, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return err
	}
	return d.WriteFile(fileHome, append(b, '\n'), 0o644)
}

// RefuseEmpty refuses to begin a log again, under the same key, whose streams are gone and whose
// mark is gone too: that it once ran here, the file `home` says.
func (d *Dir) RefuseEmpty(ctx context.Context, log *store.Log) error {
	_, home := os.Stat(d.Join(fileHome))
	_, mark := os.Stat(d.Join(FileMark))
	if errors.Is(home, fs.ErrNotExist) || mark == nil { // by the mark, the sealer knows more
		return nil
	}
	for _, s := range []store.Stream{log.Sealed, log.Events} {
		if info, err := s.Info(ctx); err != nil || info.Last > 0 {
			return err
		}
	}
	return fmt.Errorf(
		"%w: the streams are empty, but a log ran here before; restore the folder `%s`, or use another directory with "+
			"keys of its own",
		ErrEmptied,
		DirNATS,
	)
}

// ClaimKey warns of a second log of the same key on this host: its directory or this one is a copy.
// It is no error, since a fork that is meant to be, in a test, is one, too.
func (d *Dir) ClaimKey(k Keys, logger *slog.Logger) (name *flock.NameLock, err error) {
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write([]byte("sealstream: this log is running"))
	name, err = flock.Name("sealstream-" + hex.EncodeToString(mac.Sum(nil)[:16]))
	if errors.Is(err, flock.ErrLocked) {
		logger.Warn(
			"a log with the same key is running on this host, so its data directory or this one is a copy; stop one: they "+
				"sign two histories with one key",
			"data",
			d.Path,
			"cause",
			err,
		)
		return nil, nil
	}
	return name, err
}
