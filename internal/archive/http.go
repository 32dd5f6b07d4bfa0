package archive

import (
	"context"
	"errors"
	"net/http"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/httpapi"
)

// Listing is the answer of GET /v1/archive.
type Listing struct {
	Log         string          `json:"log"`
	Segments    []ListedSegment `json:"segments"`
	Size        uint64          `json:"size"`               // number of archived entries
	SealedFirst uint64          `json:"sealed_first"`       // first sequence that SEALED still has
	Archiver    *ListedArchiver `json:"archiver,omitempty"` // absent if no archiver runs here
}

// ListedSegment is a segment in a Listing. The members that end in Bytes are sizes of its objects.
type ListedSegment struct {
	Segment       uint64 `json:"segment"`
	First         uint64 `json:"first"`
	Size          uint64 `json:"size"`
	FirstSeq      uint64 `json:"first_seq"`
	LastSeq       uint64 `json:"last_seq"`
	SealedBytes   uint64 `json:"sealed_bytes"`
	PayloadsBytes uint64 `json:"payloads_bytes"`
	ContentBytes  uint64 `json:"content_bytes"` // size of both before compression
	Erased        int    `json:"erased"`
	Checkpoint    string `json:"checkpoint"`
}

// ListedArchiver describes the archiver.
type ListedArchiver struct {
	Error *string  `json:"error"`
	Void  []uint64 `json:"void,omitempty"`
}

// Verdict is the answer of GET /v1/archive/verify.
type Verdict struct {
	Valid         bool     `json:"valid"`
	Error         *string  `json:"error"`
	FirstBadIndex *uint64  `json:"first_bad_index"`
	Damaged       []string `json:"damaged"` // damaged objects, each with the reason
	Segments      uint64   `json:"segments"`
	Archived      uint64   `json:"archived"` // entries in the segments
	// tree size up to which the log verifies, the rest in SEALED included
	TreeSize uint64 `json:"tree_size"`
	Root     string `json:"root"`
}

// List lists the segments of the archive.
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
			s.Segment, s.First, s.Size, s.FirstSeq, s.LastSeq, s.Object.Bytes, p.Object.Bytes, s.Content.Bytes + p.Content.Bytes,
			len(p.Erased), s.Checkpoint,
		})
		l.Size = s.Size
	}
	info, err := a.log.Sealed.Info(ctx)
	l.SealedFirst = info.First
	return l, err
}

// VerdictOf turns the result of Verify into a Verdict. It returns err if that is no failed
// verification, but an error of the store.
func VerdictOf(r Report, err error) (Verdict, error) {
	v := Verdict{
		Valid:    err == nil,
		Damaged:  r.Damaged,
		Segments: r.Segments,
		Archived: r.Archived,
		TreeSize: r.Audit.Size,
		Root:     r.Audit.Root.String(),
	}
	if v.Damaged == nil {
		v.Damaged = []string{}
	}
	if err == nil {
		return v, nil
	}
	m, ok := errors.AsType[*audit.MismatchError](err)
	if !ok {
		return v, err
	}
	why := m.Error()
	v.Error, v.FirstBadIndex = &why, &m.Index
	return v, nil
}

// Handler serves GET /v1/archive and GET /v1/archive/verify. archiver may be nil. Only one
// verification runs at a time, since it reads everything. The caller must check the query
// parameters.
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
		answer(w, l, err)
	})
	mux.HandleFunc("GET /v1/archive/verify", func(w http.ResponseWriter, r *http.Request) {
		select {
		case busy <- struct{}{}:
			defer func() { <-busy }()
		case <-r.Context().Done():
			return
		}
		v, err := VerdictOf(Verify(r.Context(), a.log, audit.Config{Keys: keys}))
		answer(w, v, err)
	})
	return mux
}

// answer writes v as JSON, or a problem: an error here comes from the store or from damage.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		httpapi.Fail(w, http.StatusInternalServerError, err)
		return
	}
	httpapi.JSON(w, http.StatusOK, v)
}
