package node

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealstream/sealstream/pkg/proof"
)

// Keys are what a sealer must have and nobody else may: the signing key, and the log secret, from which salts are made.
type Keys struct {
	Signer *proof.Signer
	Secret []byte // 32 bytes
}

// GenerateKeys makes the keys of a new log in a folder: log.key and log.secret (0600), and log.pub, which is for everyone. host is
// the first part of the log's origin. It refuses to write over keys. A crash in between leaves files that the next call goes on with.
func GenerateKeys(dir, host, log string) (Keys, error) {
	if _, err := os.Stat(filepath.Join(dir, fileKey)); err == nil {
		return Keys{}, fmt.Errorf("%w: %s exists already", ErrKeys, filepath.Join(dir, fileKey))
	}
	skey, vkey, secret, err := generate(host, log)
	if err != nil {
		return Keys{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Keys{}, err
	}
	// The signer key comes last: where it stands, the other two are complete.
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{{fileSecret, hex.EncodeToString(secret), 0o600}, {filePublic, vkey, 0o644}, {fileKey, skey, 0o600}} {
		if err := writeFile(filepath.Join(dir, f.name), []byte(f.text+"\n"), f.mode); err != nil {
			return Keys{}, fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return LoadKeys(filepath.Join(dir, fileKey), filepath.Join(dir, fileSecret))
}

func generate(host, log string) (skey, vkey string, secret []byte, err error) {
	skey, vkey, err = proof.GenerateKey(host, log)
	secret = make([]byte, 32)
	rand.Read(secret)
	return skey, vkey, secret, err
}

// newKeys makes keys that stand in no file.
func newKeys(host, log string) (Keys, error) {
	skey, _, secret, err := generate(host, log)
	if err != nil {
		return Keys{}, err
	}
	signer, err := proof.NewSigner(skey)
	return Keys{signer, secret}, err
}

// LoadKeys reads a signer key and a log secret from their files. A file that others may read is refused.
func LoadKeys(keyFile, secretFile string) (Keys, error) {
	skey, err := readSecret(keyFile)
	if err != nil {
		return Keys{}, err
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		return Keys{}, fmt.Errorf("%w: %s: %w", ErrKeys, keyFile, err)
	}
	text, err := readSecret(secretFile)
	if err != nil {
		return Keys{}, err
	}
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != 32 {
		return Keys{}, fmt.Errorf("%w: %s does not hold 64 hexadecimal digits", ErrKeys, secretFile)
	}
	return Keys{signer, secret}, nil
}

func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %s is missing", ErrKeys, path)
	} else if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%w: %s can be read by others (mode %04o); make it 0600", ErrKeys, path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	return strings.TrimSuffix(string(b), "\n"), err
}

// Keys loads the directory's keys. They are made on the first start; where streams are there already, keys that are missing are an
// error: new ones would be those of another log.
func (d *Dir) Keys(host, log string) (Keys, error) {
	_, keyErr := os.Stat(d.Join(fileKey))
	_, natsErr := os.Stat(d.Join(dirNATS))
	if errors.Is(keyErr, fs.ErrNotExist) && errors.Is(natsErr, fs.ErrNotExist) {
		return GenerateKeys(d.Path, host, log)
	}
	k, err := LoadKeys(d.Join(fileKey), d.Join(fileSecret))
	if err != nil {
		return Keys{}, err
	}
	if of := LogOf(k.Signer.Origin()); of != log {
		return Keys{}, fmt.Errorf("%w: %s is of log %q, not %q; another log needs another directory", ErrKeys, d.Path, of, log)
	}
	if vkey, err := PublicKey(d.Path); err != nil || vkey != k.Signer.VerifierKey() { // lost, or somebody's else: it follows from the secret one
		return k, d.WriteFile(filePublic, []byte(k.Signer.VerifierKey()+"\n"), 0o644)
	}
	return k, nil
}

// LogOf is the log's name in an origin <host>/<log>/<8 hex>, or "".
func LogOf(origin string) string {
	parts := strings.Split(origin, "/")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}

// PublicKey reads the verifier key of a data directory.
func PublicKey(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, filePublic))
	return strings.TrimSpace(string(b)), err
}

// logOfKey is the log's name in a verifier key, whose own name is the origin.
func logOfKey(vkey string) string {
	origin, _, _ := strings.Cut(vkey, "+")
	return LogOf(origin)
}
