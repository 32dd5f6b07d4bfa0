package archive

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Listing is the answer of GET /v1/archive.
type Listing struct {
	Log         string          `json:"log"`
	Segments    []ListedSegment `json:"segments"`
	Size        uint64          `json:"size"`               // entries archived
	SealedFirst uint64          `json:"sealed_first"`       // first sequence that SEALED still has
	Archiver    *ListedArchiver `json:"archiver,omitempty"` // absent: none runs here
}

// ListedSegment is a segment in a Listing. Bytes are those of its objects.
type ListedSegment struct {
	Segment       uint64 `json:"segment"`
	First         uint64 `json:"first"`
	Size          uint64 `json:"size"`
	FirstSeq      uint64 `json:"first_seq"`
	LastSeq       uint64 `json:"last_seq"`
	SealedBytes   uint64 `json:"sealed_bytes"`
	PayloadsBytes uint64 `json:"payloads_bytes"`
	ContentBytes  uint64 `json:"content_bytes"` // of both before they were compressed
	Erased        int    `json:"erased"`
	Checkpoint    string `json:"checkpoint"`
}

// ListedArchiver is how the archiver fares.
type ListedArchiver struct {
	Error *string  `json:"error"`
	Void  []uint64 `json:"void,omitempty"`
}

// Verdict is the answer of GET /v1/archive/verify.
type Verdict struct {
	Valid         bool     `json:"valid"`
	Error         *string  `json:"error"`
	FirstBadIndex *uint64  `json:"first_bad_index"`
	Damaged       []string `json:"damaged"` // objects, each with the reason
	Segments      uint64   `json:"segments"`
	Archived      uint64   `json:"archived"`  // entries in them
	TreeSize      uint64   `json:"tree_size"` // up to which the log verifies, SEALED's rest with it
	Root          string   `json:"root"`
}

// List lists the archive.
func (a *Archive) List(ctx context.Context) (Listing, error) {
	segments, err := a.Segments(ctx)
	if err != nil {
		return Listing{}, err
	}
	l := Listing{Log: a.name, Segments: []ListedSegment{}}
	for _, s := range segments {
		p, err := a.loadPayloads(ctx, s)
		if err != nil {
			return Listing{}, err
		}
		l.Segments = append(l.Segments, ListedSegment{
			s.Segment, s.First, s.Size, s.FirstSeq, s.LastSeq, s.Object.Bytes, p.Object.Bytes, s.Content.Bytes + p.Content.Bytes, len(p.Erased), s.Checkpoint,
		})
		l.Size = s.Size
	}
	info, err := a.log.Sealed.Info(ctx)
	l.SealedFirst = info.First
	return l, err
}

// VerdictOf puts the outcome of Verify into words; an error that it gives back is trouble of the store.
func VerdictOf(r Report, err error) (Verdict, error) {
	v := Verdict{Valid: err == nil, Damaged: r.Damaged, Segments: r.Segments, Archived: r.Archived, TreeSize: r.Audit.Size, Root: entry.FormatHash(r.Audit.Root)}
	if v.Damaged == nil {
		v.Damaged = []string{}
	}
	if err == nil {
		return v, nil
	}
	m, ok := errors.AsType[*proof.MismatchError](err)
	if !ok {
		return v, err
	}
	why := m.Error()
	v.Error, v.FirstBadIndex = &why, &m.Index
	return v, nil
}

// Handler serves GET /v1/archive and GET /v1/archive/verify. archiver is nil where none runs. One check runs at a time: it
// reads everything. Parameters are the caller's to look at.
func (a *Archive) Handler(keys []string, archiver *Archiver) http.Handler {
	busy := make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/archive", func(w http.ResponseWriter, r *http.Request) {
		l, err := a.List(r.Context())
		if archiver != nil {
			s := archiver.Status()
			l.Archiver = &ListedArchiver{Void: s.Void}
			if s.Err != nil {
				text := s.Err.Error()
				l.Archiver.Error = &text
			}
		}
		answer(w, statusOf(err), l, err)
	})
	mux.HandleFunc("GET /v1/archive/verify", func(w http.ResponseWriter, r *http.Request) {
		select {
		case busy <- struct{}{}:
			defer func() { <-busy }()
		case <-r.Context().Done():
			return
		}
		v, err := VerdictOf(Verify(r.Context(), a.log, proof.AuditConfig{Keys: keys}))
		answer(w, statusOf(err), v, err)
	})
	return mux
}

// answer writes JSON, or a problem (RFC 9457) where there is an error.
func answer(w http.ResponseWriter, status int, v any, err error) {
	kind := "application/json"
	if err != nil {
		kind, v = "application/problem+json", map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": err.Error()}
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// statusOf: what goes wrong here is trouble of the store, or damage.
func statusOf(err error) int {
	if err != nil {
		return http.StatusInternalServerError
	}
	return http.StatusOK
}
