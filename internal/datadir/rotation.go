package datadir

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/pkg/proof"
)

// A log gets a new key in three steps, each of which is a line in log.key:
//
//	RotateKey   adds a key: at the next start a config names both, and from then on each
//	            checkpoint has two signatures
//	RetireKey   marks the older ones: at the next start a config names the new one alone, still
//	            under the signatures of both
//	the start after that takes the private part of the retired one out of the file
//
// log.pub keeps every key that the log ever had, newest first.

// keyLine is one line of log.key.
type keyLine struct {
	skey    string
	retired bool // still there to sign the config that retires it
}

const retiredMark = "retired "

func parseKeyLines(text string) (lines []keyLine) {
	for line := range strings.Lines(text) {
		skey, retired := strings.CutPrefix(strings.TrimSuffix(line, "\n"), retiredMark)
		lines = append(lines, keyLine{skey, retired})
	}
	return lines
}

func formatKeyLines(lines []keyLine) []byte {
	var b []byte
	for _, l := range lines {
		if l.retired {
			b = append(b, retiredMark...)
		}
		b = append(append(b, l.skey...), '\n')
	}
	return b
}

// RotateKey adds a new signing key in front of the one that a folder of keys has. The log must not
// run; its next start announces the key.
func RotateKey(dir string) (vkey string, err error) {
	err = changeKeys(dir, func(k Keys, lines []keyLine) ([]keyLine, []string, error) {
		if len(lines) > 1 {
			return nil, nil, fmt.Errorf(
				"%w: a rotation is under way: start the log, retire the older key, and start it again",
				settings.ErrInvalid,
			)
		}
		var skey string
		if skey, vkey, err = proof.GenerateNextKey(k.Signer.Origin()); err != nil {
			return nil, nil, err
		}
		return append([]keyLine{{skey, false}}, lines...), append([]string{vkey}, k.All()...), nil
	})
	return vkey, err
}

// RetireKey marks all signing keys but the newest. The log must not run; its next start announces
// that they sign no more, or, if it has not been started since the newest was added, first that
// one.
func RetireKey(dir string) (retired []string, err error) {
	err = changeKeys(dir, func(k Keys, lines []keyLine) ([]keyLine, []string, error) {
		for i := 1; i < len(lines); i++ {
			if !lines[i].retired {
				lines[i].retired, retired = true, append(retired, k.Signer.VerifierKeys()[i])
			}
		}
		if retired == nil {
			return nil, nil, fmt.Errorf("%w: there is no older key; add a new one first", settings.ErrInvalid)
		}
		return lines, k.All(), nil
	})
	return retired, err
}

// changeKeys rewrites log.key and log.pub of a folder that no log runs on.
func changeKeys(dir string, change func(Keys, []keyLine) ([]keyLine, []string, error)) error {
	lock, err := lockDir(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	defer lock.Close()
	file := filepath.Join(dir, FileKey)
	k, err := LoadKeys(file, filepath.Join(dir, FileSecret))
	if err != nil {
		return err
	}
	text, err := ReadSecret(file)
	if err != nil {
		return err
	}
	lines, public, err := change(k, parseKeyLines(text))
	if err != nil {
		return err
	}
	if err := lock.Held(); err != nil {
		return err
	}
	// A public key without its private part does no harm; a crash in between leaves just that.
	if err := WriteFile(filepath.Join(dir, FilePublic), []byte(strings.Join(public, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	return WriteFile(file, formatKeyLines(lines), 0o600)
}

// DropRetired takes the private parts of retired keys out of the file that the keys were loaded
// from. Call it once the log's config has retired them. Keys that stand in no file stay as they
// are.
func (k Keys) DropRetired() error {
	if k.file == "" {
		return nil
	}
	text, err := ReadSecret(k.file)
	if err != nil {
		return err
	}
	lines := parseKeyLines(text)
	if left := slices.DeleteFunc(slices.Clone(lines), func(l keyLine) bool { return l.retired }); len(left) < len(lines) {
		return WriteFile(k.file, formatKeyLines(left), 0o600)
	}
	return nil
}
