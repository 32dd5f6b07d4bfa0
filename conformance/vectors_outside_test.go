package conformance_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// cosignatureVectors: policies, and checkpoints that their witnesses have cosigned or not.
type cosignatureVectors struct {
	Policies []policyCase   `json:"policies"`
	Cases    []cosignedCase `json:"cases"`
}

type (
	policyCase struct {
		Name   string `json:"name"`
		Policy blob   `json:"policy"`
		OK     bool   `json:"ok"`
		Why    string `json:"why,omitempty"`
	}
	cosignedCase struct {
		Name   string `json:"name"`
		Policy blob   `json:"policy"`
		Note   blob   `json:"note"`
		OK     bool   `json:"ok"`
		Why    string `json:"why,omitempty"`
	}
)

// witnessVKey, and witnessLine, which cosigns by hand: a witness whose seed is one byte, 32 times over.
func witnessVKey(name string, fill byte) string {
	pub := append([]byte{4}, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{fill}, 32)).Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%x+%s", name, sha(name, "\n", pub)[:4], base64.StdEncoding.EncodeToString(pub))
}

func witnessLine(name string, fill byte, text string, at uint64) string {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{fill}, 32))
	pub := append([]byte{4}, private.Public().(ed25519.PublicKey)...)
	raw := slices.Clone(sha(name, "\n", pub)[:4])
	raw = binary.BigEndian.AppendUint64(raw, at)
	raw = append(raw, ed25519.Sign(private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text))...)
	return "\u2014 " + name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

const cosignedAt = 1_800_000_000

func makeCosignatures(t *testing.T) cosignatureVectors {
	var v cosignatureVectors
	log := vectorKey(t, "sealstream.example", "default", 1)
	signed, err := log.Sign(7, otherHash("root"))
	if err != nil {
		t.Fatal(err)
	}
	note := string(signed)
	text := note[:strings.Index(note, "\n\n")+1]
	a, b, c := witnessLine("a.example/w", 11, text, cosignedAt), witnessLine("b.example/w", 12, text, cosignedAt+1),
		witnessLine("c.example/w", 13, text, 0)
	keys := "witness A " + witnessVKey("a.example/w", 11) + "\nwitness B " + witnessVKey("b.example/w", 12) +
		" https://b.example/\nwitness C " + witnessVKey("c.example/w", 13) + "\n"
	policies := func(name, text string, ok bool) {
		p := policyCase{Name: name, Policy: blob(text), OK: ok}
		if !ok {
			p.Why = name
		}
		v.Policies = append(v.Policies, p)
	}
	two := keys + "group two 2 A B C\nquorum two\n"
	policies("two of three", two, true)
	policies("with its log, comments and tabs",
		"# whose\nlog "+log.VerifierKey()+" https://log.example/\n \t# who\n"+strings.ReplaceAll(two, " ", "\t"), true)
	policies("nobody", "quorum none", true)
	policies("groups of groups", keys+"group x any A B\ngroup y all x C\nquorum y\n", true)
	policies("no quorum", keys, false)
	policies("two quorums", two+"quorum A\n", false)
	policies("a quorum that is not defined", keys+"quorum D\n", false)
	policies("a quorum that is defined after it", "quorum A\n"+keys, false)
	policies("a group of none", keys+"group g 0 A\nquorum g\n", false)
	policies("a group that needs more than it has", keys+"group g 3 A B\nquorum g\n", false)
	policies("a number with a leading zero", keys+"group g 01 A\nquorum g\n", false)
	policies("a member twice", keys+"group g 2 A A\nquorum g\n", false)
	policies("a member of two groups", keys+"group g any A B\ngroup h any A C\nquorum g\n", false)
	policies("a member named none", keys+"group g any none\nquorum g\n", false)
	policies("a witness named none", "witness none "+witnessVKey("a", 11)+"\nquorum none\n", false)
	policies("a public key twice", keys+"witness D "+witnessVKey("another.name", 11)+"\nquorum A\n", false)
	policies("a name twice", keys+"witness A "+witnessVKey("d.example/w", 14)+"\nquorum A\n", false)
	policies("a witness with the key of a log", "witness A "+log.VerifierKey()+"\nquorum A\n", false)
	policies("a key whose id is another", strings.Replace(two, "a.example/w+", "a.example/v+", 1), false)
	policies("an unknown line", keys+"quorom A\n", false)
	policies("a carriage return", keys+"quorum A\r\n", false)

	add := func(name, policy, note string, ok bool) {
		k := cosignedCase{Name: name, Policy: blob(policy), Note: blob(note), OK: ok}
		if !ok {
			k.Why = name
		}
		v.Cases = append(v.Cases, k)
	}
	add("two of three have", two, note+a+b, true)
	add("all have, in another order, and somebody else", two, note+c+witnessLine("d.example/w", 14, text, 5)+b+a, true)
	add("a time of zero", keys+"quorum C\n", note+c, true)
	add("nobody has, and nobody need", "quorum none\n", note, true)
	add("one of two needed", two, note+a, false)
	add("one has twice", two, note+a+a, false)
	add("one has twice, at two times", two, note+a+witnessLine("a.example/w", 11, text, cosignedAt+9), false)
	add("a stranger in their stead", two, note+a+witnessLine("d.example/w", 14, text, cosignedAt), false)
	add("a stranger under the name of one", two, note+a+witnessLine("b.example/w", 14, text, cosignedAt), false)
	add("a cosignature of another checkpoint", two,
		note+a+witnessLine("b.example/w", 12, strings.Replace(text, "\n7\n", "\n8\n", 1), cosignedAt), false)
	add("a wrong one beside enough", two, note+a+b+witnessLine("c.example/w", 13, "other\n", 5), false)
	add("another time than was signed", two, note+a+changeTime(t, b), false)
	add("a signature of the note instead", two, note+a+plainLine("b.example/w", 12, text), false)
	add("the second group is not met", keys+"group x any A B\ngroup y all x C\nquorum y\n", note+a+b, false)
	add("both groups are met", keys+"group x any A B\ngroup y all x C\nquorum y\n", note+b+c, true)
	return v
}

func changeTime(t *testing.T, line string) string {
	t.Helper()
	at := strings.LastIndexByte(line, ' ') + 1
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line[at:]))
	if err != nil {
		t.Fatal(err)
	}
	raw[11] ^= 1
	return line[:at] + base64.StdEncoding.EncodeToString(raw) + "\n"
}

// plainLine signs the text as a log would, under the witness's key id.
func plainLine(name string, fill byte, text string) string {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{fill}, 32))
	pub := append([]byte{4}, private.Public().(ed25519.PublicKey)...)
	raw := append(slices.Clone(sha(name, "\n", pub)[:4]), make([]byte, 8)...)
	return "\u2014 " + name + " " +
		base64.StdEncoding.EncodeToString(append(raw, ed25519.Sign(private, []byte(text))...)) + "\n"
}

func TestVectorsCosignatures(t *testing.T) {
	v := vectors(t, "cosignatures.json", makeCosignatures(t))
	var names []string
	for _, c := range v.Policies {
		names = append(names, "policy "+c.Name)
		if _, err := proof.ParsePolicy(c.Policy); (err == nil) != c.OK {
			t.Errorf("%s: %v, want ok %v", c.Name, err, c.OK)
		}
	}
	for _, c := range v.Cases {
		names = append(names, "case "+c.Name)
		p, err := proof.ParsePolicy(c.Policy)
		if err != nil {
			t.Fatal(err)
		}
		by, err := p.Cosigned(c.Note)
		if ok := err == nil && by.Quorum; ok != c.OK {
			t.Errorf("%s: %+v %v, want ok %v", c.Name, by, err, c.OK)
		}
	}
	unique(t, "cosignatures.json", names...)
}

// tileVectors: a directory of tiles, and what was changed of it.
type tileVectors struct {
	Files map[string]blob `json:"files"` // of the directory that the cases change, by path
	Cases []tileCase      `json:"cases"`
}

type tileCase struct {
	Name     string           `json:"name"`
	VKeys    []string         `json:"vkeys"`
	Changes  map[string]*blob `json:"changes"` // null: the file is not there
	Valid    bool             `json:"valid"`
	FirstBad *uint64          `json:"first_bad_index,omitempty"`
	Why      string           `json:"why,omitempty"`
}

// naiveTiles writes tiles as c2sp.org/tlog-tiles says, of a log of fewer than 65,536 entries.
func naiveTiles(leaves [][]byte, note []byte) map[string]blob {
	f := map[string]blob{"checkpoint": note}
	name := func(level string, first, end, width int) string {
		n := fmt.Sprintf("tile/%s/%03d", level, first/width)
		if end-first < width {
			n += fmt.Sprintf(".p/%d", end-first)
		}
		return n
	}
	var above [][]byte
	for first := 0; first < len(leaves); first += 256 {
		end := min(first+256, len(leaves))
		var bundle, tile []byte
		for _, l := range leaves[first:end] {
			bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(l))), l...)
			tile = append(tile, sha("\x00", l)...)
		}
		f[name("entries", first, end, 256)], f[name("0", first, end, 256)] = bundle, tile
		if end-first == 256 {
			above = append(above, naiveRoot(leaves[first:end]))
		}
	}
	if len(above) > 0 {
		f[name("1", 0, len(above), 256)] = bytes.Join(above, nil)
	}
	return f
}

func makeTiles(t *testing.T) tileVectors {
	f := newForger(t)
	f.own(1, 0, entry.TypeConfig, f.configDetail(false))
	for i := range uint64(258) {
		f.add(f.draft(2+i, 0, fmt.Sprint("e-", i), ""))
	}
	leaves := make([][]byte, len(f.entries))
	for i, e := range f.entries {
		leaves[i] = e.Leaf
	}
	v := tileVectors{Files: naiveTiles(leaves, f.batch(259, sealedlog.PlaceEnd).Checkpoint)}
	v.Files["tile/0/001.p/1"], v.Files["tile/entries/001.p/1"] = v.Files["tile/0/001.p/3"][:32],
		v.Files["tile/entries/001.p/3"][:2+len(leaves[256])]
	key := f.signer.VerifierKey()
	add := func(name string, bad int, changes map[string]*blob, keys ...string) {
		c := tileCase{Name: name, VKeys: append([]string{}, keys...), Changes: changes, Valid: bad < 0}
		if changes == nil {
			c.Changes = map[string]*blob{}
		}
		if bad >= 0 {
			at := uint64(bad)
			c.FirstBad, c.Why = &at, name
		}
		v.Cases = append(v.Cases, c)
	}
	change := func(path, old, new string) map[string]*blob {
		if !bytes.Contains(v.Files[path], []byte(old)) {
			t.Fatalf("%s does not hold %q", path, old)
		}
		b := blob(bytes.Replace(v.Files[path], []byte(old), []byte(new), 1))
		return map[string]*blob{path: &b}
	}
	flip := func(path string, at int) map[string]*blob {
		b := slices.Clone(v.Files[path])
		b[at] ^= 1
		return map[string]*blob{path: &b}
	}
	file := func(path string, b []byte) map[string]*blob { c := blob(b); return map[string]*blob{path: &c} }
	add("as it is", -1, nil, key)
	add("without a key", -1, nil)
	add("another key", 0, nil, vectorKey(t, "sealstream.example", "default", 2).VerifierKey())
	add("an entry in the full bundle", 78, change("tile/entries/000", `"entry_id":"e-77"`, `"entry_id":"e-7X"`), key)
	add("an entry in the partial bundle", 257,
		change("tile/entries/001.p/3", `"entry_id":"e-256"`, `"entry_id":"e-2X6"`), key)
	add("an entry and its hash", 100, bothChanged(t, &v, 99, leaves), key)
	add("a hash of an entry", 5, flip("tile/0/000", 5*32+7), key)
	add("a hash of the second level", 0, flip("tile/1/000.p/1", 3), key)
	add("a tile of before", 256, flip("tile/0/001.p/1", 3), key)
	add("a bundle of before", 256, flip("tile/entries/001.p/1", 30), key)
	add("a tile that is missing", 256, map[string]*blob{"tile/0/001.p/3": nil}, key)
	add("a bundle that is missing", 0, map[string]*blob{"tile/entries/000": nil}, key)
	add("a bundle that is too long", 256,
		file("tile/entries/001.p/3", append(slices.Clone(v.Files["tile/entries/001.p/3"]), 0)), key)
	add("a tile that is too long", 258, file("tile/0/001.p/3", append(slices.Clone(v.Files["tile/0/001.p/3"]), 0)), key)
	add("a checkpoint whose signature was changed", 0,
		file("checkpoint", []byte(mutateSignature(t, string(v.Files["checkpoint"])))), key)
	other, err := f.signer.Sign(259, otherHash("root"))
	if err != nil {
		t.Fatal(err)
	}
	add("a checkpoint of another root", 258, file("checkpoint", other), key)
	return v
}

// bothChanged changes an entry and makes its bundle and its hash's tile fit: the entry after it tells.
func bothChanged(t *testing.T, v *tileVectors, i int, leaves [][]byte) map[string]*blob {
	t.Helper()
	changed := bytes.Replace(leaves[i], []byte(`"entry_id":"e-98"`), []byte(`"entry_id":"e-9X"`), 1)
	if bytes.Equal(changed, leaves[i]) {
		t.Fatalf("leaf %d is %s", i, leaves[i])
	}
	bundle := blob(bytes.Replace(v.Files["tile/entries/000"], leaves[i], changed, 1))
	tile := slices.Clone(v.Files["tile/0/000"])
	copy(tile[i*32:], sha("\x00", changed))
	return map[string]*blob{"tile/entries/000": &bundle, "tile/0/000": &tile}
}

// vectorTiles is a directory of a case.
type vectorTiles map[string]blob

func (f vectorTiles) Read(path string) ([]byte, error) {
	if b, ok := f[path]; ok {
		return b, nil
	}
	return nil, fs.ErrNotExist
}

func (f vectorTiles) Widths(path string) (list []int, err error) {
	for w := 1; w < merkle.TileWidth; w++ {
		if _, ok := f[fmt.Sprintf("%s.p/%d", path, w)]; ok {
			list = append(list, w)
		}
	}
	return list, nil
}

func TestVectorsTiles(t *testing.T) {
	v := vectors(t, "tiles.json", makeTiles(t))
	var names []string
	for _, c := range v.Cases {
		names = append(names, c.Name)
		files := vectorTiles(maps.Clone(v.Files))
		for path, b := range c.Changes {
			if delete(files, path); b != nil {
				files[path] = *b
			}
		}
		_, err := audit.Tiles(audit.Config{Keys: c.VKeys}, files)
		bad, _ := errors.AsType[*audit.MismatchError](err)
		if (err == nil) != c.Valid || c.FirstBad != nil && (bad == nil || bad.Index != *c.FirstBad) {
			t.Errorf("%s: %v, want valid %v", c.Name, err, c.Valid)
		}
	}
	unique(t, "tiles.json", names...)
}
