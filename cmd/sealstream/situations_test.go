package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/node"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// situation is something that a person may hold in hand, and what both verifiers must say of it.
type situation struct {
	name   string
	kind   audit.Kind // valid, older, or the fault in a word of SPEC 10.1
	target string     // file, directory or URL
	key    string     // "": none is given
	saved  []string   // --checkpoint
	verb   string     // of the second verifier; "": it does not take such targets
	more   []string   // further arguments of both
	state  string     // --state; "": --no-state
}

// TestSituations runs both verifiers over honest logs, slips of the hand and forgeries: the same
// kind of verdict from both, at the same index, and nobody is called cut, rewritten or altered
// whose only fault is that somebody gave the wrong key or the wrong checkpoint.
func TestSituations(t *testing.T) {
	g := newGallery(t)
	list := slices.Concat(g.exports(), g.tileDirs(), g.proofs(), g.logs(), g.older())
	if len(list) < 40 {
		t.Fatalf("%d situations", len(list))
	}
	second := g.second(list)
	for i, s := range list {
		t.Run(s.name, func(t *testing.T) {
			first := g.first(t, s)
			if first.Kind != s.kind || first.Valid != (s.kind == kindValid || s.kind == kindOlder) {
				t.Errorf("sealstream: %s, want %s: %+v", first.Kind, s.kind, first)
			}
			if s.verb == "" {
				return
			}
			kind, want := second[i].kind(), s.kind
			if want == kindOlder { // it remembers nothing
				want = kindValid
			}
			if audit.Kind(kind) != want || second[i].Valid != (want == kindValid) {
				t.Errorf("second verifier: %s, want %s: %+v", kind, want, second[i])
			}
			if want != audit.KindMalformed &&
				fmt.Sprint(deref(first.FirstBadIndex)) != fmt.Sprint(deref(second[i].FirstBad)) &&
				!strings.HasPrefix(s.verb, "proof") && s.verb != "checkpoint" {
				t.Errorf("first bad index: %v and %v", deref(first.FirstBadIndex), deref(second[i].FirstBad))
			}
			if s.kind == audit.KindNotSigned && s.key != "" && s.key != g.own.key {
				for who, said := range map[string]string{
					"sealstream": fmt.Sprint(first.Verdicts), "second verifier": *second[i].Error,
				} {
					if !strings.Contains(said, "not signed by the key that you gave") {
						t.Errorf("%s: %s", who, said)
					}
				}
			}
		})
	}
}

func deref(n *uint64) any {
	if n == nil {
		return "none"
	}
	return *n
}

// taken is a log at a moment: what somebody may have taken from it.
type taken struct {
	key, data                     string
	note, export, tiles, filtered string
	proof, proofFile, leaf        string
}

// gallery holds a log, an earlier moment of it, a second history under its key, and a log of somebody else.
type gallery struct {
	*testing.T
	dir                     string
	early, own, fork, other taken
	notes                   int
	impostor, signedBeyond  string // checkpoints: of another key under the log's name, of its own key for a larger size
	impostorKey             string
}

func newGallery(t *testing.T) *gallery {
	g := &gallery{T: t, dir: t.TempDir()}
	a, b := filepath.Join(g.dir, "a"), filepath.Join(g.dir, "b")
	g.early = g.live(a, "early", "e1", "e2", "e3")
	g.copyDir(a, b)
	g.own = g.live(a, "own", "e4", "e5")
	g.fork = g.live(b, "fork", "f4", "f5")
	g.other = g.live(filepath.Join(g.dir, "c"), "other", "e1", "e2", "e3", "e4", "e5")
	origin := strings.SplitN(g.own.key, "+", 2)[0]
	skey, vkey, err := proof.GenerateNextKey(origin)
	g.must(err)
	g.impostorKey = vkey
	g.impostor = g.sign(skey, 4)
	raw, err := os.ReadFile(filepath.Join(a, "log.key"))
	g.must(err)
	g.signedBeyond = g.sign(strings.TrimSpace(string(raw)), 99)
	return g
}

func (g *gallery) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

func (g *gallery) path(name string) string { return filepath.Join(g.dir, name) }

func (g *gallery) write(name string, raw []byte) string {
	g.must(os.MkdirAll(filepath.Dir(g.path(name)), 0o755))
	g.must(os.WriteFile(g.path(name), raw, 0o644))
	return g.path(name)
}

func (g *gallery) read(path string) []byte {
	raw, err := os.ReadFile(path)
	g.must(err)
	return raw
}

func (g *gallery) copyDir(from, to string) string {
	g.must(os.CopyFS(to, os.DirFS(from)))
	g.must(filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	}))
	return to
}

// sign makes a checkpoint of a made-up root.
func (g *gallery) sign(skey string, size uint64) string {
	s, err := proof.NewSigner(skey)
	g.must(err)
	note, err := s.Sign(size, entry.Hash{1})
	g.must(err)
	g.notes++
	return g.write(fmt.Sprintf("signed-%d", g.notes), note)
}

// run runs the command, which must succeed.
func (g *gallery) run(args ...string) string {
	g.Helper()
	var out, errs bytes.Buffer
	if exit := run(g.Context(), args, strings.NewReader(""), &out, &errs); exit != 0 {
		g.Fatalf("%v: exit %d\n%s%s", args, exit, &out, &errs)
	}
	return out.String()
}

// live runs a log on a data directory, records events, and takes what it shows.
func (g *gallery) live(data, name string, ids ...string) taken {
	n, err := node.Up(g.Context(), node.UpConfig{Data: data, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"})
	g.must(err)
	defer n.Close()
	for _, id := range ids {
		g.run("log", "--server", n.URL(), "--agent", "did:web:a", "--type", "x.y", "--id", id, "--data", `{"n":1}`)
	}
	h := taken{key: n.Key(), data: data, export: g.path(name + ".jsonl"), tiles: g.path(name + ".tiles"),
		filtered: g.path(name + ".some.jsonl"),
		proof:    g.path(name + ".proof.json"), proofFile: g.path(name + ".tlog-proof"), leaf: g.path(name + ".leaf")}
	h.note = g.write(name+".note", []byte(g.run("checkpoint", "--server", n.URL())))
	g.run("export", "--server", n.URL(), "-o", h.export)
	g.run("export", "--server", n.URL(), "--key", h.key, "--format", "tiles", h.tiles)
	g.run("export", "--server", n.URL(), "--agent", "did:web:a", "-o", h.filtered)
	g.run("prove", ids[0], "--server", n.URL(), "-o", h.proof)
	g.run("prove", ids[0], "--server", n.URL(), "--format", "c2sp", "--leaf", h.leaf, "-o", h.proofFile)
	return h
}

// first is what the command says.
func (g *gallery) first(t *testing.T, s situation) (r result) {
	args := append([]string{"--json", "verify", s.target}, s.more...)
	for _, c := range s.saved {
		args = append(args, "--checkpoint", c)
	}
	if s.key != "" {
		args = append(args, "--key", s.key)
	}
	if s.state != "" {
		args = append(args, "--state", s.state)
	} else {
		args = append(args, "--no-state")
	}
	var out, errs bytes.Buffer
	exit := run(t.Context(), args, strings.NewReader(""), &out, &errs)
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Valid != (exit == 0) || !r.Valid && exit != 1 {
		t.Fatalf("%v: exit %d, %v\n%s%s", args, exit, err, &out, &errs)
	}
	return r
}

// pythonVerdict is what the second verifier says.
type pythonVerdict struct {
	Valid    bool    `json:"valid"`
	Error    *string `json:"error"`
	FirstBad *uint64 `json:"first_bad_index"`
}

func (v pythonVerdict) kind() string {
	if v.Error == nil {
		return kindValid
	}
	kind, _, _ := strings.Cut(*v.Error, ": ")
	return kind
}

// second runs the second verifier on all situations, in one process.
func (g *gallery) second(list []situation) (verdicts []pythonVerdict) {
	const driver = `
import contextlib, io, json, sys
sys.path.insert(0, "../../sdk/python")
import sealstream_verify
for argv in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if argv: sealstream_verify.main(argv + ["--json"])
    print(out.getvalue().strip() or "{}")
`
	commands := [][]string{}
	for _, s := range list {
		args := []string{}
		if s.verb != "" {
			args = append([]string{s.verb, s.target}, s.more...)
			for _, c := range s.saved {
				args = append(args, "--checkpoint", c)
			}
			if s.key != "" {
				args = append(args, "--key", s.key)
			}
		}
		commands = append(commands, args)
	}
	raw, err := json.Marshal(commands)
	g.must(err)
	c := exec.Command("python3", "-c", driver)
	c.Stdin, c.Stderr = bytes.NewReader(raw), os.Stderr
	out, err := c.Output()
	g.must(err)
	for line := range bytes.Lines(out) {
		var v pythonVerdict
		g.must(json.Unmarshal(line, &v))
		verdicts = append(verdicts, v)
	}
	if len(verdicts) != len(list) {
		g.Fatalf("%d verdicts on %d situations", len(verdicts), len(list))
	}
	return verdicts
}

// changed writes a file anew with a text replaced.
func (g *gallery) changed(path, name, old, new string) string {
	raw := g.read(path)
	if !bytes.Contains(raw, []byte(old)) {
		g.Fatalf("%s does not hold %q", path, old)
	}
	return g.write(name, bytes.Replace(raw, []byte(old), []byte(new), 1))
}

func (g *gallery) exports() []situation {
	own, key, of := g.own.export, g.own.key,
		func(name string, kind audit.Kind, target, key string, saved ...string) situation {
			return situation{
				name: "export: " + name, kind: kind, target: target, key: key, saved: saved, verb: "export",
			}
		}
	lines := bytes.SplitAfter(g.read(own), []byte("\n"))
	without := func(name string, i int) string {
		return g.write(name, bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
	}
	altered := g.changed(own, "altered.jsonl", `\"entry_id\":\"e4\"`, `\"entry_id\":\"e9\"`)
	blank := g.write("blank.jsonl", append(g.read(own), "\n\n"...))
	between := g.write("between.jsonl", bytes.Join(slices.Insert(slices.Clone(lines), 3, []byte("\n")), nil))
	savedBlank := g.write("saved-blank.note", append(g.read(g.early.note), "\n \n"...))
	crlf := g.write("crlf.jsonl", bytes.ReplaceAll(g.read(own), []byte("\n"), []byte("\r\n")))
	size := len(lines) - 2
	lastAltered := g.changed(own, "last-altered.jsonl", `\"entry_id\":\"e5\"`, `\"entry_id\":\"e9\"`)
	_, forkNote := g.fork.earlyExport(g)
	return []situation{
		of("as it is", "valid", own, key),
		of("without a key", "valid", own, ""),
		of("its own earlier checkpoint", "valid", own, key, g.early.note),
		of("its own earlier checkpoint, without a key", "valid", own, "", g.early.note),
		of("its own checkpoints, in any order", "valid", own, key, g.own.note, g.early.note),
		of("its own checkpoint with empty lines behind", "valid", own, key, savedBlank),
		of("an empty line behind", "valid", blank, key),
		of("lines that end with CR LF", "valid", crlf, key),
		of("some entries", "valid", g.own.filtered, key),
		of("somebody else's key", "not-signed", own, g.other.key),
		of("another key under the log's name", "not-signed", own, g.impostorKey),
		of("somebody else's key, and an entry altered", "not-signed", altered, g.other.key),
		of("somebody else's key, and cut", "not-signed", without("cut-wrong-key.jsonl", size), g.other.key),
		of("somebody else's key, and the own checkpoint", "not-signed", own, g.other.key, g.own.note),
		of("somebody else's key, and his checkpoint", "not-signed", own, g.other.key, g.other.note),
		of("some entries, somebody else's key", "not-signed", g.own.filtered, g.other.key),
		of("somebody else's checkpoint", "not-signed", own, key, g.other.note),
		of("somebody else's checkpoint, without a key", "not-signed", own, "", g.other.note),
		of("somebody else's longer checkpoint", "not-signed", g.early.export, key, g.other.note),
		of("a forged checkpoint under the log's name", "not-signed", own, key, g.impostor),
		of("a forged checkpoint, without a key", "not-signed", own, "", g.impostor),
		of("a forged checkpoint beside a good one", "not-signed", own, key, g.early.note, g.impostor),
		of("its checkpoint's signature changed", "not-signed", g.changed(own, "unsigned.jsonl", `\n6\n`, `\n7\n`), key),
		of("a manifest that names another log", "other-log", g.changed(own, "renamed.jsonl", `"log":"default"`, `"log":"other"`), key),
		of("an entry altered", "altered", altered, key),
		of("data altered", "altered", g.changed(own, "data.jsonl", `"data_raw":"{\"n\":1}"`, `"data_raw":"{\"n\":2}"`), key),
		of("an entry missing", "altered", without("hole.jsonl", 3), key),
		of("an empty line between entries", "altered", between, key),
		of("some entries, one altered", "altered", g.changed(g.own.filtered, "some-altered.jsonl", `\"entry_id\":\"e4\"`, `\"entry_id\":\"e9\"`), key),
		of("the last entry missing", "cut", without("cut.jsonl", size), key),
		of("a signed checkpoint of more entries", "cut", own, key, g.signedBeyond),
		of("an early copy and a later checkpoint", "cut", g.early.export, key, g.own.note),
		of("an early copy and a later checkpoint, without a key", "cut", g.early.export, "", g.own.note),
		of("a checkpoint of the other history", "rewritten", own, key, g.fork.note),
		of("a checkpoint of the other history beside a good one", "rewritten", own, key, g.early.note, g.fork.note),
		of("a checkpoint of the other history, without a key", "rewritten", own, "", g.fork.note),
		of("a checkpoint of the other history, and an entry altered behind it", "rewritten", lastAltered, key, forkNote),
		of("the same, and somebody else's key", "not-signed", lastAltered, g.other.key, forkNote),
		of("a forged checkpoint, and an entry altered behind it", "altered", lastAltered, key, g.impostor),
		of("no manifest", "malformed", without("headless.jsonl", 0), key),
		of("a manifest of another version", "malformed", g.changed(own, "version.jsonl", `"sealstream_export":1`, `"sealstream_export":2`), key),
	}
}

func (g *gallery) tileDirs() []situation {
	own, key, of := g.own.tiles, g.own.key,
		func(name string, kind audit.Kind, target, key string, saved ...string) situation {
			return situation{name: "tiles: " + name, kind: kind, target: target, key: key, saved: saved, verb: "tiles"}
		}
	altered, missing, swapped := g.copyDir(own, g.path("altered.tiles")), g.copyDir(own, g.path("missing.tiles")),
		g.copyDir(own, g.path("swapped.tiles"))
	bundle := fmt.Sprintf("tile/entries/000.p/%d", len(bytes.Split(g.read(g.own.export), []byte("\n")))-2)
	g.changed(filepath.Join(altered, bundle), "altered.tiles/"+bundle, `"entry_id":"e4"`, `"entry_id":"e9"`)
	g.must(os.Remove(filepath.Join(missing, bundle)))
	g.write("swapped.tiles/checkpoint", g.read(g.other.note))
	return []situation{
		of("as it is", "valid", own, key),
		of("without a key", "valid", own, ""),
		of("its own checkpoint", "valid", own, key, g.own.note),
		of("its own earlier checkpoint", "valid", own, key, g.early.note),
		of("its own checkpoint, without a key", "valid", own, "", g.own.note),
		of("somebody else's key", "not-signed", own, g.other.key),
		of("somebody else's key, and an entry altered", "not-signed", altered, g.other.key),
		of("somebody else's checkpoint", "not-signed", own, key, g.other.note),
		of("a forged checkpoint", "not-signed", own, key, g.impostor),
		of("somebody else's checkpoint in its place", "not-signed", swapped, key),
		of("an entry altered", "altered", altered, key),
		of("a bundle missing", "missing", missing, key),
		of("an early copy and a later checkpoint", "cut", g.early.tiles, key, g.own.note),
		of("a checkpoint of the other history", "rewritten", own, key, g.fork.note),
	}
}

func (g *gallery) proofs() []situation {
	key, of := g.own.key, func(verb, name string, kind audit.Kind, target, key string, more ...string) situation {
		return situation{name: verb + ": " + name, kind: kind, target: target, key: key, verb: verb, more: more}
	}
	leaf := []string{"--leaf", g.own.leaf}
	otherLeaf := []string{"--leaf", g.other.leaf}
	changed := g.changed(g.own.proof, "changed.proof.json", `\"entry_id\":\"e4\"`, `\"entry_id\":\"e9\"`)
	blank := g.write("blank.note", append(g.read(g.own.note), "\n"...))
	return []situation{
		of("proof", "as it is", "valid", g.own.proof, key),
		of("proof", "somebody else's key", "not-signed", g.own.proof, g.other.key),
		of("proof", "another key under the log's name", "not-signed", g.own.proof, g.impostorKey),
		of("proof", "the leaf changed", "altered", changed, key),
		of("proof", "the leaf changed, and somebody else's key", "not-signed", changed, g.other.key),
		of("proof", "a member that nobody knows", "malformed", g.changed(g.own.proof, "more.proof.json", `{"entry":`, `{"note":"x","entry":`), key),
		of("proof", "a member of entry that nothing proves", "altered", g.changed(g.own.proof, "member.proof.json", `"entry":{`, `"entry":{"note":"x",`), key),
		of("proof-file", "as it is", "valid", g.own.proofFile, key, leaf...),
		of("proof-file", "somebody else's key", "not-signed", g.own.proofFile, g.other.key, leaf...),
		of("proof-file", "another leaf, and somebody else's key", "not-signed", g.own.proofFile, g.other.key, otherLeaf...),
		of("proof-file", "another leaf", "altered", g.own.proofFile, key, otherLeaf...),
		of("checkpoint", "as it is", "valid", g.own.note, key),
		of("checkpoint", "an empty line behind", "valid", blank, key),
		of("checkpoint", "somebody else's key", "not-signed", g.own.note, g.other.key),
		of("checkpoint", "a forged one", "not-signed", g.impostor, key),
	}
}

// logs are those that the command alone can read: data directories and servers.
func (g *gallery) logs() []situation {
	key, of := g.own.key, func(name string, kind audit.Kind, target, key string, saved ...string) situation {
		return situation{name: name, kind: kind, target: target, key: key, saved: saved}
	}
	served := g.copyDir(g.own.data, g.path("served"))
	n, err := node.Up(g.Context(), node.UpConfig{Data: served, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"})
	g.must(err)
	g.Cleanup(func() { n.Close() })
	files := httptest.NewServer(http.FileServer(http.Dir(g.own.tiles)))
	g.Cleanup(files.Close)
	var list []situation
	for _, at := range []struct{ what, target string }{
		{"directory", g.own.data}, {"URL", n.URL()}, {"URL of tiles", files.URL},
	} {
		list = append(list,
			of(at.what+": as it is", "valid", at.target, key, g.early.note),
			of(at.what+": without a key", "valid", at.target, "", g.early.note),
			of(at.what+": somebody else's key", "not-signed", at.target, g.other.key),
			of(at.what+": somebody else's key, and his checkpoint", "not-signed", at.target, g.other.key, g.other.note),
			of(at.what+": somebody else's checkpoint", "not-signed", at.target, key, g.other.note),
			of(at.what+": a forged checkpoint", "not-signed", at.target, key, g.impostor),
			of(at.what+": a forged checkpoint, without a key", "not-signed", at.target, "", g.impostor),
			of(at.what+": a checkpoint of the other history", "rewritten", at.target, key, g.fork.note),
			of(at.what+": a signed checkpoint of more entries", "cut", at.target, key, g.signedBeyond))
	}
	return list
}

// older are copies that end before what was seen of their log, and what contradicts that.
func (g *gallery) older() []situation {
	key, state := g.own.key, g.path("seen.json")
	of := func(name string, kind audit.Kind, target, verb string) situation {
		return situation{name: "seen before: " + name, kind: kind, target: target, key: key, verb: verb, state: state}
	}
	forkEarly, _ := g.fork.earlyExport(g)
	return []situation{
		of("an early copy, before anything was seen", "valid", g.early.export, "export"),
		of("the log", "valid", g.own.export, "export"),
		of("an early copy", "older", g.early.export, "export"),
		of("early tiles", "older", g.early.tiles, "tiles"),
		of("the other history", "rewritten", g.fork.export, ""),
		of("tiles of the other history", "rewritten", g.fork.tiles, ""),
		of("an early copy of the other history", "rewritten", forkEarly, ""),
		of("the log again", "valid", g.own.export, "export"),
	}
}

// earlyExport is an export of a history that is one entry shorter, and its checkpoint, under the log's own signature.
func (h taken) earlyExport(g *gallery) (export, checkpoint string) {
	raw, err := os.ReadFile(filepath.Join(h.data, "log.key"))
	g.must(err)
	signer, err := proof.NewSigner(strings.TrimSpace(string(raw)))
	g.must(err)
	lines := bytes.Split(bytes.TrimSpace(g.read(h.export)), []byte("\n"))
	m, err := proof.ParseManifest(lines[0])
	g.must(err)
	lines = lines[:len(lines)-1]
	var f merkle.Frontier
	for _, line := range lines[1:] {
		l, _, err := proof.ParseExportLine(line)
		g.must(err)
		f.Append(entry.LeafHash(l.Leaf))
	}
	note, err := signer.Sign(f.Size(), f.Root())
	g.must(err)
	last := f.Size() - 1
	m.Count, m.Last, m.Size, m.Root, m.Checkpoint = f.Size(), &last, f.Size(), f.Root().String(), string(note)
	lines[0], err = json.Marshal(m)
	g.must(err)
	return g.write("fork-early.jsonl", append(bytes.Join(lines, []byte("\n")), '\n')), g.write("fork-early.note", note)
}
