package datadir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Keys are what a sealer must have and nobody else may: the signing keys, and the log secret, from
// which salts are made.
type Keys struct {
	Signer *proof.Signer // newest first
	Secret []byte        // 32 bytes
	Active []string      // verifier keys that the log's config is to name: the signer's without retired ones
	Former []string      // verifier keys that the log had before, newest first
	file   string        // of the signer keys; "": none
}

// All are the verifier keys that the log has and had, newest first.
func (k Keys) All() []string { return append(k.Signer.VerifierKeys(), k.Former...) }

// GenerateKeys makes the keys of a new log in a folder: log.key and log.secret (0600), and log.pub,
// which is for everyone. host is the first part of the log's origin. It refuses to write over keys.
// A crash in between leaves files that the next call goes on with.
func GenerateKeys(dir, host, log string) (Keys, error) {
	if _, err := os.Stat(filepath.Join(dir, FileKey)); err == nil {
		return Keys{}, fmt.Errorf("%w: %s exists already", ErrKeys, filepath.Join(dir, FileKey))
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
	}{{FileSecret, hex.EncodeToString(secret), 0o600}, {FilePublic, vkey, 0o644}, {FileKey, skey, 0o600}} {
		if err := WriteFile(filepath.Join(dir, f.name), []byte(f.text+"\n"), f.mode); err != nil {
			return Keys{}, fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return LoadKeys(filepath.Join(dir, FileKey), filepath.Join(dir, FileSecret))
}

func generate(host, log string) (skey, vkey string, secret []byte, err error) {
	skey, vkey, err = proof.GenerateKey(host, log)
	secret = make([]byte, 32)
	rand.Read(secret)
	return skey, vkey, secret, err
}

// NewKeys makes keys that stand in no file.
func NewKeys(host, log string) (Keys, error) {
	skey, vkey, secret, err := generate(host, log)
	if err != nil {
		return Keys{}, err
	}
	signer, err := proof.NewSigner(skey)
	return Keys{Signer: signer, Secret: secret, Active: []string{vkey}}, err
}

// LoadKeys reads the signer keys and the log secret from their files, and the keys that the log had
// before from log.pub beside the first. A file that others may read is refused.
func LoadKeys(keyFile, secretFile string) (Keys, error) {
	k := Keys{file: keyFile}
	text, err := ReadSecret(keyFile)
	if err != nil {
		return Keys{}, err
	}
	lines := parseKeyLines(text)
	skeys := make([]string, len(lines))
	for i, l := range lines {
		skeys[i] = l.skey
	}
	if k.Signer, err = proof.NewSigner(skeys...); err != nil {
		return Keys{}, fmt.Errorf("%w: %s: %w", ErrKeys, keyFile, err)
	}
	for i, l := range lines {
		if !l.retired {
			k.Active = append(k.Active, k.Signer.VerifierKeys()[i])
		}
	}
	if len(k.Active) == 0 {
		return Keys{}, fmt.Errorf("%w: %s: every key is retired", ErrKeys, keyFile)
	}
	if text, err = ReadSecret(secretFile); err != nil {
		return Keys{}, err
	}
	if k.Secret, err = hex.DecodeString(text); err != nil || len(k.Secret) != 32 {
		return Keys{}, fmt.Errorf("%w: %s does not hold 64 hexadecimal digits", ErrKeys, secretFile)
	}
	public, err := ReadPublicKeys(filepath.Join(filepath.Dir(keyFile), FilePublic))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Keys{}, err
	}
	for _, vkey := range public {
		if strings.HasPrefix(vkey, k.Signer.Origin()+"+") && proof.CheckKey(vkey) == nil &&
			!slices.Contains(k.Signer.VerifierKeys(), vkey) {
			k.Former = append(k.Former, vkey)
		}
	}
	return k, nil
}

// LoadSigner reads signer keys alone, for what is signed beside a log. A file that others may read
// is refused.
func LoadSigner(keyFile string) (*proof.Signer, error) {
	text, err := ReadSecret(keyFile)
	if err != nil {
		return nil, err
	}
	var skeys []string
	for _, l := range parseKeyLines(text) {
		if !l.retired {
			skeys = append(skeys, l.skey)
		}
	}
	s, err := proof.NewSigner(skeys...)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeys, keyFile, err)
	}
	return s, nil
}

// ReadPublicKeys reads verifier keys, one a line.
func ReadPublicKeys(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	return strings.Fields(string(b)), err
}

func ReadSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %s is missing", ErrKeys, path)
	} else if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" { // whose modes say nothing of who may read
		return "", fmt.Errorf("%w: %s can be read by others (mode %04o); make it 0600", ErrKeys, path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	return strings.TrimSuffix(string(b), "\n"), err
}

// Keys loads the directory's keys. They are made on the first start; where streams are there
// already, keys that are missing are an error: new ones would be those of another log.
func (d *Dir) Keys(host, log string) (Keys, error) {
	_, keyErr := os.Stat(d.Join(FileKey))
	_, natsErr := os.Stat(d.Join(DirNATS))
	if errors.Is(keyErr, fs.ErrNotExist) && errors.Is(natsErr, fs.ErrNotExist) {
		return GenerateKeys(d.Path, host, log)
	}
	k, err := LoadKeys(d.Join(FileKey), d.Join(FileSecret))
	if err != nil {
		return Keys{}, err
	}
	if of := ruleset.LogOf(k.Signer.Origin()); of != log {
		return Keys{}, fmt.Errorf(
			"%w: %s is of log %q, not %q; another log needs another directory",
			ErrKeys,
			d.Path,
			of,
			log,
		)
	}
	if public, err := ReadPublicKeys(d.Join(FilePublic)); err != nil || !slices.Equal(public, k.All()) {
		// lost, or somebody's else: they follow from the secret ones
		return k, d.WriteFile(FilePublic, []byte(strings.Join(k.All(), "\n")+"\n"), 0o644)
	}
	return k, nil
}

// PublicKey reads the newest verifier key of a data directory.
func PublicKey(dir string) (string, error) {
	keys, err := PublicKeys(dir)
	if err != nil || len(keys) == 0 {
		return "", err
	}
	return keys[0], nil
}

// PublicKeys reads the verifier keys of a data directory, newest first.
func PublicKeys(dir string) ([]string, error) { return ReadPublicKeys(filepath.Join(dir, FilePublic)) }

// LogOfKey is the log's name in a verifier key, whose own name is the origin.
func LogOfKey(vkey string) string {
	origin, _, _ := strings.Cut(vkey, "+")
	return ruleset.LogOf(origin)
}
