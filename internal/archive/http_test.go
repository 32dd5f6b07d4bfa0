package archive_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/archive"
)

// TestHandler: the two paths answer with what they find, and say so where the list cannot be read.
func TestHandler(t *testing.T) {
	f := memory(t)
	f.seal(f.log, 600)
	f.well(f.archive(10))
	x, err := archive.NewArchiver(f.config(0))
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, status int, v any) {
		t.Helper()
		w := httptest.NewRecorder()
		archive.New(f.log).Handler([]string{f.key}, x).ServeHTTP(w,
			httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		if w.Code != status || json.Unmarshal(w.Body.Bytes(), v) != nil {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	var list archive.Listing
	get("/v1/archive", http.StatusOK, &list)
	if len(list.Segments) != 2 || list.Size != list.Segments[1].Size || list.SealedFirst < 5 ||
		list.Segments[0].SealedBytes == 0 || list.Archiver == nil || list.Archiver.Error != nil {
		t.Errorf("%+v", list)
	}
	var v archive.Verdict
	get("/v1/archive/verify", http.StatusOK, &v)
	if !v.Valid || v.Segments != 2 || v.Archived != list.Size || v.TreeSize != f.size || v.FirstBadIndex != nil ||
		v.Error != nil || len(v.Damaged) != 0 {
		t.Errorf("%+v", v)
	}
	var p struct{ Detail string }
	f.put("default/00000001/payloads.json", []byte("{}\n"))
	get("/v1/archive", http.StatusInternalServerError, &p)
	if !strings.Contains(p.Detail, "default/00000001/payloads.json") {
		t.Error(p.Detail)
	}
	get("/v1/archive/verify", http.StatusOK, &v)
	if v.Valid || v.FirstBadIndex == nil || *v.FirstBadIndex != list.Segments[1].First || len(v.Damaged) != 1 {
		t.Errorf("%+v", v)
	}
}
