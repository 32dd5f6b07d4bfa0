package natsd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/sealstream/sealstream/internal/durable"
)

// ErrSettings reports a stream that has messages but damaged settings. NATS skips such a stream.
// Recreating it would change its creation time for good.
var ErrSettings = errors.New("settings of a stream are damaged")

// dirSettings is the folder, beside JetStream's own, with copies of all streams' settings.
const dirSettings = "settings"

// settings are the two files that JetStream keeps of a stream besides its messages: the
// configuration with the creation time, and its checksum.
var settings = []string{server.JetStreamMetaFile, server.JetStreamMetaFileSum}

// streamDirs returns the folders of streams below JetStream's folder, as
// <account>/streams/<stream>.
func (s *Server) streamDirs() ([]string, error) {
	parent := filepath.Join(accountLog, "streams")
	entries, err := os.ReadDir(s.streamFile(parent, ""))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		// JetStream renames folders before it deletes them
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			list = append(list, filepath.Join(parent, e.Name()))
		}
	}
	return list, nil
}

func (s *Server) streamFile(dir, name string) string {
	return filepath.Join(s.cfg.StoreDir, server.JetStreamStoreDir, dir, name)
}

func (s *Server) copyOf(dir, name string) string {
	return filepath.Join(s.cfg.StoreDir, dirSettings, strings.ReplaceAll(dir, string(filepath.Separator), "+")+"."+name)
}

// notLoaded returns the folders of streams that have content but were skipped by the server.
func (s *Server) notLoaded() ([]string, error) {
	dirs, err := s.streamDirs()
	if err != nil || len(dirs) == 0 {
		return nil, err
	}
	info, err := s.running.Load().Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return nil, err
	}
	loaded := map[string]bool{}
	for _, a := range info.AccountDetails {
		for _, d := range a.Streams {
			loaded[filepath.Join(a.Name, "streams", d.Name)] = true
		}
	}
	var list []string
	for _, dir := range dirs {
		if loaded[dir] {
			continue
		}
		began, err := s.began(dir)
		if err != nil {
			return nil, err
		}
		if began {
			list = append(list, dir)
		}
	}
	return list, nil
}

// began reports whether a stream was ever used. A crash during the creation of a stream leaves
// nothing worth keeping: began then removes its settings, so that the stream is created again.
func (s *Server) began(dir string) (bool, error) {
	files, err := os.ReadDir(s.streamFile(dir, "msgs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Size() > 0 {
			return true, nil
		}
	}
	if _, err := os.Stat(s.copyOf(dir, server.JetStreamMetaFile)); err == nil {
		return true, nil
	}
	for _, name := range settings {
		if err := os.Remove(s.streamFile(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// repair replaces damaged settings by their copies. The server must not run. A crash here leaves a
// stream whose two files do not match, which the next start repairs.
func (s *Server) repair(dirs []string) error {
	for _, dir := range dirs {
		var files [2][]byte
		for i, name := range settings {
			var err error
			if files[i], err = os.ReadFile(s.copyOf(dir, name)); err != nil {
				return fmt.Errorf(
					"%w: NATS did not load %s (%s), and there is no copy of its settings; restore its files %s from a copy of the "+
						"data directory",
					ErrSettings, filepath.Join(server.JetStreamStoreDir, dir), s.about(dir), strings.Join(settings, " and "))
			}
		}
		for i, name := range settings {
			if err := durable.WriteFile(s.streamFile(dir, name), files[i], 0o600); err != nil {
				return fmt.Errorf("%w: %w", ErrSettings, err)
			}
		}
		text := fmt.Sprintf("the settings of stream %s were damaged and are repaired from their copy (%s)",
			filepath.Base(dir), s.about(dir))
		s.cfg.Logger.Warn("NATS server: " + text)
		s.repaired = append(s.repaired, text)
	}
	return nil
}

// KeepSettings copies the settings of all streams, so that they can be repaired. Call it after
// streams were created or changed.
func (s *Server) KeepSettings() error {
	dirs, err := s.streamDirs()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.cfg.StoreDir, dirSettings), 0o700); err != nil {
		return err
	}
	for _, dir := range dirs {
		for _, name := range settings {
			b, err := os.ReadFile(s.streamFile(dir, name))
			if err != nil {
				return fmt.Errorf("settings of stream %s: %w", filepath.Base(dir), err)
			}
			if old, err := os.ReadFile(s.copyOf(dir, name)); err == nil && slices.Equal(old, b) {
				continue
			}
			if err := durable.WriteFile(s.copyOf(dir, name), b, 0o600); err != nil {
				return fmt.Errorf("copy of the settings of stream %s: %w", filepath.Base(dir), err)
			}
		}
	}
	return nil
}

// about returns what the server logged about a stream's folder during its start.
func (s *Server) about(dir string) string {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for _, text := range s.log.warned {
		if strings.Contains(text, dir) || strings.Contains(text, strconv.Quote(filepath.Base(dir))) {
			return strings.ReplaceAll(text, s.cfg.StoreDir+string(filepath.Separator), "")
		}
	}
	return "it gave no reason"
}

// Repaired returns one sentence for each stream that Start has repaired.
func (s *Server) Repaired() []string { return s.repaired }
