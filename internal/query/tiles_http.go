package query

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/merkle"
)

// getUnderLogs serves the checkpoint and the tiles of a log by its name (c2sp.org/tlog-tiles with
// the prefix /logs/<log>).
func (q *Query) getUnderLogs(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/logs/"), "/")
	switch {
	case name != q.cfg.Log.Name:
		return fmt.Errorf("log %.40q: %w", name, ErrNotFound)
	case path == "checkpoint":
		return q.getCheckpoint(w, r, p)
	}
	return q.writeTile(w, r, p, path)
}

func (q *Query) getTile(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	return q.writeTile(w, r, p, strings.TrimPrefix(r.URL.EscapedPath(), "/"))
}

// writeTile serves a tile or a bundle. Its bytes never change, so clients may cache it for ever.
func (q *Query) writeTile(w http.ResponseWriter, r *http.Request, p *httpapi.Params, path string) error {
	if err := p.End(); err != nil {
		return err
	}
	t, ok := merkle.ParseTilePath(path)
	if !ok {
		return fmt.Errorf("%.80q: %w: not the path of a tile (c2sp.org/tlog-tiles)", path, ErrNotFound)
	}
	compress := t.Level == merkle.BundleLevel && acceptsGzip(r.Header)
	b, err := q.encodedTile(r.Context(), t, compress)
	if err != nil {
		return err
	}
	h := w.Header()
	if t.Level == merkle.BundleLevel {
		h.Set("Vary", "Accept-Encoding")
	}
	if compress {
		h.Set("Content-Encoding", "gzip")
	}
	// true of any width, since a wider tile has another path
	h.Set("Cache-Control", q.cacheControl("max-age=31536000, immutable"))
	write(w, http.StatusOK, "application/octet-stream", b)
	return nil
}

// acceptsGzip reports whether Accept-Encoding allows gzip. A coding that is not named is not
// accepted.
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

// weight returns the q of a coding: 1 if there is none, 0 if it is malformed.
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
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	return w
}}

// compressed compresses a bundle with gzip.
func compressed(bundle []byte) []byte {
	var out bytes.Buffer
	w := gzipWriters.Get().(*gzip.Writer)
	w.Reset(&out)
	w.Write(bundle) // a buffer never fails
	w.Close()
	gzipWriters.Put(w)
	return out.Bytes()
}

// tileKey identifies a cached tile or bundle. Cached ones were compared with the tree and never
// change.
type tileKey struct {
	tile merkle.Tile
	gzip bool
}
