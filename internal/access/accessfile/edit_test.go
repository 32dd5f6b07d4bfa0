package accessfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/access"
)

var (
	march  = time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	tokenA = access.TokenHash{Name: "a", Hash: access.HashToken("a"), Expires: march}
	tokenB = access.TokenHash{Name: "b", Hash: access.HashToken("b")}
)

const (
	hashA = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
	hashB = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
)

// TestEdits: tokens are added and removed in files of many styles. Comments and layout stay.
func TestEdits(t *testing.T) {
	for _, c := range []struct{ name, text, added, removed string }{
		{
			name:    "empty",
			added:   "identities:\n  - id: ci\n    tokens:\n      - name: a\n        sha256: " + hashA + "\n        expires: \"2027-03-01T00:00:00Z\"\n    may:\n      read: all\n      proof: true\n",
			removed: "identities:\n  - id: ci\n    may:\n      read: all\n      proof: true\n",
		},
		{
			name:    "comments",
			text:    "# head\n\nidentities:\n\n- id: x # first\n  # its rights\n  may: {admin: true}\n\n# tail\n",
			added:   "# head\n\nidentities:\n\n- id: x # first\n  # its rights\n  may: {admin: true}\n- id: ci\n  tokens:\n    - name: a\n      sha256: " + hashA + "\n      expires: \"2027-03-01T00:00:00Z\"\n  may:\n    read: all\n    proof: true\n\n# tail\n",
			removed: "# head\n\nidentities:\n\n- id: x # first\n  # its rights\n  may: {admin: true}\n- id: ci\n  may:\n    read: all\n    proof: true\n\n# tail\n",
		},
		{
			name:    "tokens there",
			text:    "identities:\n  - id: ci\n    tokens:\n      # old\n      - name: b\n        sha256: " + hashB + "\n    # rights\n    may: {read: all}",
			added:   "identities:\n  - id: ci\n    tokens:\n      # old\n      - name: b\n        sha256: " + hashB + "\n      - name: a\n        sha256: " + hashA + "\n        expires: \"2027-03-01T00:00:00Z\"\n    # rights\n    may: {read: all}",
			removed: "identities:\n  - id: ci\n    tokens:\n      # old\n      - name: b\n        sha256: " + hashB + "\n    # rights\n    may: {read: all}",
		},
		{
			name:    "no tokens yet",
			text:    "identities:\n  - id: ci # the builds\n    may: {read: all}\n",
			added:   "identities:\n  - id: ci # the builds\n    tokens:\n      - name: a\n        sha256: " + hashA + "\n        expires: \"2027-03-01T00:00:00Z\"\n    may: {read: all}\n",
			removed: "identities:\n  - id: ci # the builds\n    may: {read: all}\n",
		},
		{
			name:    "written anew",
			text:    "identities: [{id: ci, may: {read: all}}] # all on one line\n",
			added:   "identities: [{id: ci, may: {read: all}, tokens: [{name: a, sha256: " + hashA + ", expires: \"2027-03-01T00:00:00Z\"}]}] # all on one line\n",
			removed: "identities: [{id: ci, may: {read: all}}] # all on one line\n",
		},
		{
			name:    "null",
			text:    "# nobody\nidentities:\n",
			added:   "# nobody\nidentities:\n  - id: ci\n    tokens:\n      - name: a\n        sha256: " + hashA + "\n        expires: \"2027-03-01T00:00:00Z\"\n    may:\n      read: all\n      proof: true\n",
			removed: "# nobody\nidentities:\n  - id: ci\n    may:\n      read: all\n      proof: true\n",
		},
	} {
		grants := &access.Grants{ReadAll: true, Proof: true}
		if strings.Contains(c.text, "id: ci") {
			grants = nil
		}
		if c.name == "null" {
			c.text = strings.Replace(c.text, "identities:", "identities: []", 1)
		}
		added, err := AddToken("f", []byte(c.text), "ci", tokenA, grants)
		if err != nil || string(added) != c.added {
			t.Errorf("%s: %v\ngot:\n%s\nwant:\n%s", c.name, err, added, c.added)
			continue
		}
		removed, err := RemoveToken("f", added, "ci", "a")
		if err != nil || string(removed) != c.removed {
			t.Errorf("%s: %v\ngot:\n%s\nwant:\n%s", c.name, err, removed, c.removed)
		}
	}
}

// TestEditsRefused: an edit changes no rights, and replaces nothing.
func TestEditsRefused(t *testing.T) {
	most := &access.Grants{
		Alerts: true, Export: true, OldHashes: true, Proof: true, Publish: access.Agents{"a*"}, Read: access.Agents{"b"},
	}
	text, err := AddToken("f", nil, "ci", tokenA, most)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := AddToken("f", text, "ci", tokenB, &access.Grants{}); !errors.Is(err, ErrTaken) {
		t.Errorf("other rights: %v", err)
	}
	again := access.TokenHash{Name: "a", Hash: tokenB.Hash}
	if _, err := AddToken("f", text, "ci", again, nil); !errors.Is(err, ErrTaken) {
		t.Errorf("same name: %v", err)
	}
	again = access.TokenHash{Name: "x", Hash: tokenA.Hash}
	if _, err := AddToken("f", text, "other", again, &access.Grants{}); !errors.Is(err, access.ErrRules) {
		t.Errorf("same token: %v", err)
	}
	if _, err := AddToken("f", text, "nobody", tokenB, nil); err == nil {
		t.Error("an identity without rights is made")
	}
	for _, who := range [][2]string{{"ci", "x"}, {"x", "a"}} {
		if _, err := RemoveToken("f", text, who[0], who[1]); !errors.Is(err, ErrNone) {
			t.Errorf("%v: %v", who, err)
		}
	}
	if _, err := AddToken("f", []byte("identites: []"), "ci", tokenB, &access.Grants{}); !errors.Is(err, access.ErrRules) {
		t.Errorf("broken file: %v", err)
	}
}

// TestUpdate: programs that change a file at the same time lose nothing. A new file is private.
func TestUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.yaml")
	const n = 20
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			token := access.TokenHash{Name: fmt.Sprint("t", i), Hash: access.HashToken(fmt.Sprint(i))}
			err := Update(t.Context(), path, func(name string, text []byte) ([]byte, error) {
				return AddToken(name, text, token.Name, token, &access.Grants{})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	v, err := Load(path)
	if err != nil || len(v.Rules().Identities) != n {
		t.Fatalf("%v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), "# Who is who") {
		t.Errorf("%v: %.80s", err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	bad := errors.New("bad")
	fail := func(string, []byte) ([]byte, error) { return nil, bad }
	if err := Update(t.Context(), path, fail); !errors.Is(err, bad) {
		t.Error(err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(text) {
		t.Errorf("a failed change has changed the file: %v", err)
	}
	other := filepath.Join(t.TempDir(), "other.yaml")
	if err := Update(t.Context(), other, fail); !errors.Is(err, bad) {
		t.Error(err)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed change has made a file: %v", err)
	}
}
