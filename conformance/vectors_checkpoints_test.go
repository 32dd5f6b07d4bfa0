package conformance_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

type checkpointVectors struct {
	Cases []checkpointCase `json:"cases"`
}

type checkpointCase struct {
	Name   string   `json:"name"`
	VKeys  []string `json:"vkeys"`
	Note   blob     `json:"note"`
	OK     bool     `json:"ok"`
	Why    string   `json:"why,omitempty"`
	Origin string   `json:"origin,omitempty"`
	Size   *uint64  `json:"size,omitempty"`
	Root   string   `json:"root,omitempty"`
}

// vectorSigner signs any text, which proof.Signer would not.
func vectorSigner(t *testing.T, origin string, fill byte) note.Signer {
	t.Helper()
	s, err := note.NewSigner(vectorSKey(origin, bytes.Repeat([]byte{fill}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func makeCheckpoints(t *testing.T) (v checkpointVectors) {
	log, other := vectorKey(t, "sealstream.example", "default", 1), vectorKey(t, "witness.example", "w", 2)
	origin, root := log.Origin(), naiveRoot(vectorLeaves(7))
	key := vectorSigner(t, origin, 1)
	sign := func(text string, signers ...note.Signer) string {
		b, err := note.Sign(&note.Note{Text: text}, signers...)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	text := func(size any, tail string) string {
		return fmt.Sprintf("%s\n%v\n%s\n%s", origin, size, base64.StdEncoding.EncodeToString(root), tail)
	}
	add := func(ok bool, name, signed string, vkeys ...string) *checkpointCase {
		c := checkpointCase{Name: name, VKeys: vkeys, Note: blob(signed), OK: ok}
		if ok {
			size := uint64(7)
			c.Origin, c.Size, c.Root = origin, &size, entry.Hash(root).String()
		} else {
			c.Why = name
		}
		v.Cases = append(v.Cases, c)
		return &v.Cases[len(v.Cases)-1]
	}
	plain := sign(text(7, ""), key)
	add(true, "signed by the log", plain, log.VerifierKey())
	add(true, "cosigned by a key that is not trusted", sign(text(7, ""), key, vectorSigner(t, other.Origin(), 2)),
		log.VerifierKey())
	add(true, "cosigned by a key that is trusted too", sign(text(7, ""), vectorSigner(t, other.Origin(), 2), key),
		other.VerifierKey(), log.VerifierKey())
	empty := add(true, "size 0",
		sign(fmt.Sprintf("%s\n0\n%s\n", origin, base64.StdEncoding.EncodeToString(sha())), key), log.VerifierKey())
	empty.Size, empty.Root = new(uint64), entry.Hash(sha()).String()
	large := add(true, "size 2^53-1", sign(text(uint64(1<<53-1), ""), key), log.VerifierKey())
	*large.Size = 1<<53 - 1
	add(false, "another key", plain, other.VerifierKey())
	add(false, "no keys", plain)
	add(false, "signed by a trusted key that is not the origin's",
		sign(text(7, ""), vectorSigner(t, other.Origin(), 2)), log.VerifierKey(), other.VerifierKey())
	add(false, "no signature", text(7, "")+"\n", log.VerifierKey())
	add(false, "size changed", strings.Replace(plain, "\n7\n", "\n8\n", 1), log.VerifierKey())
	add(false, "root changed",
		strings.Replace(plain, base64.StdEncoding.EncodeToString(root), base64.StdEncoding.EncodeToString(sha()), 1),
		log.VerifierKey())
	add(false, "origin changed",
		strings.Replace(plain, "sealstream.example/default/", "sealstream.example/defaulu/", 1), log.VerifierKey())
	add(false, "signature changed", mutateSignature(t, plain), log.VerifierKey())
	add(false, "signature in base64 with bits left over", leftOver(plain), log.VerifierKey())
	add(false, "cut off", plain[:len(plain)-1], log.VerifierKey())
	add(false, "carriage returns", strings.ReplaceAll(plain, "\n", "\r\n"), log.VerifierKey())
	add(false, "size 2^53", sign(text(uint64(1<<53), ""), key), log.VerifierKey())
	add(false, "size with a leading zero", sign(text("07", ""), key), log.VerifierKey())
	add(false, "size with a sign", sign(text("+7", ""), key), log.VerifierKey())
	add(false, "size negative", sign(text("-7", ""), key), log.VerifierKey())
	add(false, "an extension line", sign(text(7, "more\n"), key), log.VerifierKey())
	add(false, "root of 31 bytes",
		sign(fmt.Sprintf("%s\n7\n%s\n", origin, base64.StdEncoding.EncodeToString(root[:31])), key), log.VerifierKey())
	add(false, "root without padding",
		sign(fmt.Sprintf("%s\n7\n%s\n", origin, base64.RawStdEncoding.EncodeToString(root)), key), log.VerifierKey())
	add(false, "root for URLs",
		sign(fmt.Sprintf("%s\n7\n%s\n", origin, base64.URLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 32)))),
			key), log.VerifierKey())
	add(false, "root in hex", sign(fmt.Sprintf("%s\n7\n%x\n", origin, root), key), log.VerifierKey())
	add(false, "two lines", sign(origin+"\n7\n", key), log.VerifierKey())
	add(false, "another origin under this key", sign(strings.Replace(text(7, ""), "/default/", "/other/", 1), key),
		log.VerifierKey())
	add(false, "nothing", "", log.VerifierKey())
	line, foreign := strings.SplitAfter(plain, "\n\n")[1], "— witness.example/w AAAAAAA=\n"
	add(true, "a second line of the same key, which is wrong",
		plain+strings.SplitAfter(mutateSignature(t, plain), "\n\n")[1], log.VerifierKey())
	add(false, "a second line of the same key, the first being wrong", mutateSignature(t, plain)+line,
		log.VerifierKey())
	add(true, "another's signature in base64 with bits left over",
		plain+strings.Replace(foreign, "AAAAAAA=", "AAAAAAB=", 1), log.VerifierKey())
	add(false, "another's signature in base64 without padding",
		plain+strings.Replace(foreign, "AAAAAAA=", "AAAAAAA", 1), log.VerifierKey())
	add(true, "100 signatures", plain+strings.Repeat(foreign, 99), log.VerifierKey())
	add(false, "101 signatures", plain+strings.Repeat(foreign, 100), log.VerifierKey())
	large16 := plain + "— witness.example/w " + base64.StdEncoding.EncodeToString(make([]byte, 12288)) + "\n"
	add(false, "more than 16,384 bytes", large16, log.VerifierKey())
	return v
}

// mutateSignature flips one bit in the signature itself, behind its key's hash.
func mutateSignature(t *testing.T, signed string) string {
	t.Helper()
	at := strings.LastIndex(signed, " ") + 1
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(signed[at:]))
	if err != nil {
		t.Fatal(err)
	}
	raw[20] ^= 1
	return signed[:at] + base64.StdEncoding.EncodeToString(raw) + "\n"
}

// leftOver is the note with its signature in another spelling of the same bytes: base64 ends in
// bits that decoders may overlook.
func leftOver(signed string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	at := len(signed) - len("=\n") - 1
	return signed[:at] + string(alphabet[strings.IndexByte(alphabet, signed[at])+1]) + signed[at+1:]
}

func TestVectorsCheckpoints(t *testing.T) {
	v := vectors(t, "checkpoints.json", makeCheckpoints(t))
	names := make([]string, len(v.Cases))
	for i, c := range v.Cases {
		names[i] = c.Name
		cp, err := proof.OpenCheckpoint(c.Note, c.VKeys...)
		if (err == nil) != c.OK {
			t.Errorf("%s: OpenCheckpoint: %v, want ok %v", c.Name, err, c.OK)
		}
		if c.OK && err == nil && (cp.Origin != c.Origin || cp.Size != *c.Size || cp.Root.String() != c.Root) {
			t.Errorf("%s: %s %d %s, want %s %d %s", c.Name, cp.Origin, cp.Size, cp.Root, c.Origin, *c.Size, c.Root)
		}
	}
	unique(t, "checkpoints.json", names...)
}
