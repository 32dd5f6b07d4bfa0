package conformance_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// many is how many random cases a test tries: few by default, all of them with SEALSTREAM_EXHAUSTIVE set.
func many(few, all int) int {
	switch {
	case os.Getenv("SEALSTREAM_EXHAUSTIVE") != "":
		return all
	case testing.Short():
		return few / 5
	}
	return few
}

// driver runs the second verifier on many command lines in one process, and prints what each says.
const driver = `
import contextlib, io, json, sys
sys.path.insert(0, sys.argv[1])
import sealstream_verify
for argv in json.load(open(sys.argv[2])):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        sealstream_verify.main(argv + ["--json"])
    print(out.getvalue().strip())
`

type pythonVerdict struct {
	Valid    bool    `json:"valid"`
	Error    *string `json:"error"`
	FirstBad *uint64 `json:"first_bad_index"`
}

func python(t *testing.T, dir string, commands [][]string) []pythonVerdict {
	t.Helper()
	raw, err := json.Marshal(commands)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "commands.json")
	if err := os.WriteFile(list, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("python3", "-c", driver, "../sdk/python", list)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []pythonVerdict
	for line := range bytes.Lines(out) {
		var v pythonVerdict
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		verdicts = append(verdicts, v)
	}
	if len(verdicts) != len(commands) {
		t.Fatalf("%d verdicts on %d commands", len(verdicts), len(commands))
	}
	return verdicts
}

// spoil changes bytes or lines of a file, or leaves it as it is.
func spoil(r *rand.Rand, raw []byte) []byte {
	raw = slices.Clone(raw)
	lines := bytes.SplitAfter(raw, []byte("\n"))
	at := r.IntN(len(lines))
	switch r.IntN(9) {
	case 0, 1:
		return raw
	case 2, 3:
		if len(raw) > 0 {
			raw[r.IntN(len(raw))] ^= 1 << r.IntN(8)
		}
		return raw
	case 4:
		lines = slices.Delete(lines, at, at+1)
	case 5:
		lines = slices.Insert(lines, at, lines[at])
	case 6:
		other := r.IntN(len(lines))
		lines[at], lines[other] = lines[other], lines[at]
	case 7:
		return raw[:r.IntN(len(raw)+1)]
	case 8:
		if digit := bytes.IndexAny(raw, "0123456789"); digit >= 0 {
			raw[digit+r.IntN(min(40, len(raw)-digit))] = '0' + byte(r.IntN(10))
		}
		return raw
	}
	return bytes.Join(lines, nil)
}

// randomLog is a log of a few entries.
func randomLog(t *testing.T, r *rand.Rand) (f *forger, leaves [][]byte, note []byte) {
	f = newForger(t)
	f.own(1, 0, entry.TypeConfig, f.configDetail(false))
	n := uint64(r.IntN(20))
	for i := range n {
		f.add(f.draft(2+i, 0, fmt.Sprint("e-", i, "-", r.IntN(100)), ""))
	}
	for _, e := range f.entries {
		leaves = append(leaves, e.Leaf)
	}
	return f, leaves, f.batch(1+n, sealedlog.PlaceEnd).Checkpoint
}

// TestVerifiersAgreeOnProofFiles: what one verifier takes of random proof files, cosigned ones
// among them, the other takes too.
func TestVerifiersAgreeOnProofFiles(t *testing.T) {
	r, dir := rand.New(rand.NewPCG(20261124, 7)), t.TempDir()
	policyText := []byte("witness A " + witnessVKey("a.example/w", 11) + "\nwitness B " +
		witnessVKey("b.example/w", 12) + "\ngroup g any A B\nquorum g\n")
	policy, err := proof.ParsePolicy(policyText)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, raw []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	policyFile := write("policy", policyText)
	var commands [][]string
	var goSays []error
	for n := range many(200, 1000) {
		f, leaves, note := randomLog(t, r)
		text := string(note[:bytes.Index(note, []byte("\n\n"))+1])
		for k, name := range []string{"a.example/w", "b.example/w"} {
			if r.IntN(3) > 0 {
				note = append(slices.Clone(note), witnessLine(name, byte(11+k), text, cosignedAt)...)
			}
		}
		i := r.IntN(len(leaves))
		file := fmt.Appendf(nil, "c2sp.org/tlog-proof@v1\nindex %d\n", i)
		for _, step := range naivePath(uint64(i), leaves) {
			h := hash(t, step[0])
			file = append(base64.StdEncoding.AppendEncode(file, h[:]), '\n')
		}
		file = spoil(r, append(append(file, '\n'), note...))
		leaf, key := leaves[i], f.signer.VerifierKey()
		if r.IntN(12) == 0 {
			leaf = spoil(r, leaf)
		}
		command := []string{
			"proof-file", write(fmt.Sprint(n, ".proof"), file), "--leaf", write(fmt.Sprint(n, ".leaf"), leaf), "--key",
			key,
		}
		p, err := proof.ParseFile(file)
		if err == nil {
			_, err = p.Check(leaf, key)
		}
		if r.IntN(2) == 0 {
			command = append(command, "--policy", policyFile)
			if err == nil {
				var by proof.Cosigned
				if by, err = policy.Cosigned(p.Checkpoint); err == nil && !by.Quorum {
					err = errors.New("no quorum")
				}
			}
		}
		commands, goSays = append(commands, command), append(goSays, err)
	}
	good := 0
	for n, v := range python(t, dir, commands) {
		if v.Valid != (goSays[n] == nil) {
			raw, _ := os.ReadFile(commands[n][1])
			t.Errorf("case %d: Go says %v, Python %v (%v)\n%s", n, goSays[n], v.Valid, *orEmpty(v.Error), raw)
		}
		if v.Valid {
			good++
		}
	}
	t.Logf("%d proof files, %d good: the verifiers agree", len(commands), good)
}

func orEmpty(s *string) *string {
	if s == nil {
		return new(string)
	}
	return s
}

// TestVerifiersAgreeOnTiles: what one verifier takes of random directories of tiles, the other
// takes too, and they name the same index.
func TestVerifiersAgreeOnTiles(t *testing.T) {
	r, dir := rand.New(rand.NewPCG(20261124, 8)), t.TempDir()
	var commands [][]string
	var goSays []error
	for n := range many(100, 1000) {
		f, leaves, note := randomLog(t, r)
		files := naiveTiles(leaves, note)
		names := slices.Sorted(maps.Keys(files))
		name := names[r.IntN(len(names))]
		files[name] = spoil(r, files[name])
		root := filepath.Join(dir, fmt.Sprint(n))
		for path, raw := range files {
			target := filepath.Join(root, filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(target, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := audit.Tiles(audit.Config{Keys: []string{f.signer.VerifierKey()}}, vectorTiles(files))
		commands, goSays = append(commands, []string{"tiles", root, "--key", f.signer.VerifierKey()}),
			append(goSays, err)
	}
	good, same := 0, 0
	for n, v := range python(t, dir, commands) {
		if v.Valid != (goSays[n] == nil) {
			t.Errorf("case %d: Go says %v, Python %v (%s)", n, goSays[n], v.Valid, *orEmpty(v.Error))
			continue
		}
		bad, ok := errors.AsType[*audit.MismatchError](goSays[n])
		switch {
		case v.Valid:
			good++
		case ok && v.FirstBad != nil && *v.FirstBad == bad.Index:
			same++
		case ok && v.FirstBad != nil:
			t.Errorf("case %d: Go says %v, Python index %d (%s)", n, bad, *v.FirstBad, *orEmpty(v.Error))
		}
	}
	t.Logf("%d directories, %d good, %d bad ones named the same index: the verifiers agree", len(commands), good, same)
}
