package query

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/sealstream/sealstream/pkg/proof"
)

// getUnderLogs serves the checkpoint and the tiles of a log by its name (c2sp.org/tlog-tiles, the prefix being /logs/<log>).
func (q *Query) getUnderLogs(w http.ResponseWriter, r *http.Request, p *params) error {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/logs/"), "/")
	switch {
	case name != q.cfg.Log.Name:
		return fmt.Errorf("log %.40q: %w", name, ErrNotFound)
	case path == "checkpoint":
		return q.getCheckpoint(w, r, p)
	}
	return q.writeTile(w, r, p, path)
}

func (q *Query) getTile(w http.ResponseWriter, r *http.Request, p *params) error {
	return q.writeTile(w, r, p, strings.TrimPrefix(r.URL.EscapedPath(), "/"))
}

// writeTile serves a tile or a bundle. Its bytes never change, so that whoever has it need not ask again.
func (q *Query) writeTile(w http.ResponseWriter, r *http.Request, p *params, path string) error {
	if err := p.end(); err != nil {
		return err
	}
	t, ok := proof.ParseTilePath(path)
	if !ok {
		return fmt.Errorf("%.80q: %w: not the path of a tile (c2sp.org/tlog-tiles)", path, ErrNotFound)
	}
	compress := t.Level == proof.BundleLevel && acceptsGzip(r.Header)
	b, err := q.encodedTile(r.Context(), t, compress)
	if err != nil {
		return err
	}
	h := w.Header()
	if t.Level == proof.BundleLevel {
		h.Set("Vary", "Accept-Encoding")
	}
	if compress {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Cache-Control", "max-age=31536000, immutable")
	if t.Width < proof.TileWidth { // it is wanted until the full one is there
		h.Set("Cache-Control", "max-age=86400")
	}
	write(w, http.StatusOK, "application/octet-stream", b)
	return nil
}

// acceptsGzip reads Accept-Encoding: a coding that is not named is not accepted.
func acceptsGzip(h http.Header) bool {
	accepts := false
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, params, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return weight(params) > 0
		case "*":
			accepts = weight(params) > 0
		}
	}
	return accepts
}

// weight is the q of a coding; 1 if there is none, 0 if it cannot be read.
func weight(params string) float64 {
	name, value, given := strings.Cut(strings.TrimSpace(params), "=")
	if !given && strings.TrimSpace(name) == "" {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 0
	}
	return q
}

var gzipWriters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	return w
}}

// compressed is a bundle under gzip.
func compressed(bundle []byte) []byte {
	var out bytes.Buffer
	w := gzipWriters.Get().(*gzip.Writer)
	w.Reset(&out)
	w.Write(bundle) // a buffer takes everything
	w.Close()
	gzipWriters.Put(w)
	return out.Bytes()
}

// maxTileBytes is how much of tiles and bundles is kept in memory: those asked for last.
const maxTileBytes = 16 << 20

// tileKey names what is kept of tiles and bundles, as they were served: they were compared with the tree, and never change.
type tileKey struct {
	tile proof.Tile
	gzip bool
}
