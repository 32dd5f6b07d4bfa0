package proof_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/proof"
)

// TestManifestMembers: a member in other letters is another member, as it is to every other reader.
func TestManifestMembers(t *testing.T) {
	const good = `{"sealstream_export":1,"log":"l","origin":"h/l/00000000","count":0,"size":0,"root":"",` +
		`"checkpoint":"","filters":{}}`
	if m, err := proof.ParseManifest([]byte(good)); err != nil || m.Origin != "h/l/00000000" {
		t.Fatalf("%+v %v", m, err)
	}
	for _, bad := range []string{
		strings.Replace(good, "origin", "oriGin", 1), strings.Replace(good, "{", `{"more":1,`, 1),
	} {
		if m, err := proof.ParseManifest([]byte(bad)); !errors.Is(err, proof.ErrExport) {
			t.Errorf("%s: %+v %v", bad, m, err)
		}
	}
}
