package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
)

// isTiles reports whether a directory contains the tiles of a log, and not its store.
func isTiles(dir string) bool {
	for _, name := range []string{"checkpoint", "tile"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	_, err := os.Stat(filepath.Join(dir, "format"))
	return err != nil
}

// maxTile is the largest size in bytes of a file in a directory of tiles: a bundle of the longest
// entries.
const maxTile = merkle.TileWidth * (2 + 65535)

// tileFiles is a directory of tiles.
type tileFiles string

// Read implements audit.TileSource.
func (d tileFiles) Read(path string) ([]byte, error) {
	f, err := os.Open(filepath.Join(string(d), filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readTile(f, path)
}

func readTile(r io.Reader, path string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxTile+1))
	if err == nil && len(raw) > maxTile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxTile)
	}
	return raw, err
}

// Widths implements audit.TileSource.
func (d tileFiles) Widths(path string) ([]int, error) {
	list, err := os.ReadDir(filepath.Join(string(d), filepath.FromSlash(path)+".p"))
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var widths []int
	for _, f := range list {
		n, err := strconv.Atoi(f.Name())
		if err != nil || strconv.Itoa(n) != f.Name() || n < 1 || n >= merkle.TileWidth {
			return nil, fmt.Errorf("%s.p/%s is no partial tile", path, f.Name())
		}
		widths = append(widths, n)
	}
	return widths, nil
}

// tileServer is a server of tiles. Its checkpoint is read once, because the log may grow meanwhile.
type tileServer struct {
	ctx  context.Context
	web  *http.Client
	base string
}

// Read implements audit.TileSource.
func (s tileServer) Read(path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, strings.TrimRight(s.base, "/")+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.web.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return readTile(resp.Body, path)
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return nil, fmt.Errorf("%s: %s", path, resp.Status)
}

// Widths implements audit.TileSource.
func (s tileServer) Widths(string) ([]int, error) { return nil, nil }

// tiles audits a log from its tiles.
func (v *verification) tiles(src audit.TileSource) error {
	bar := v.progress("entries", 0)
	r, err := audit.Tiles(v.config(bar), src)
	bar.done()
	if v.laterKey(err, func() (audit.Report, error) { return audit.Tiles(audit.Config{}, src) }) {
		return v.finish(audit.Report{}, nil)
	}
	return v.audited(r, err, false)
}
