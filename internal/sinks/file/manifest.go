package filesink

import (
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/pkg/sink"
)

// manifest lists the closed files, from the oldest one that is still kept.
type manifest struct {
	Version int           `json:"sealstream_sink_manifest"` // 1
	Files   []manifestRow `json:"files"`
}

// manifestRow is one closed file.
type manifestRow struct {
	Name  string      `json:"name"`  // without .gz
	First sink.Cursor `json:"first"` // before its first line
	End   mark        `json:"end"`   // after its closing record
}

// end returns the cursor after the last closed file.
func (m manifest) end() sink.Cursor {
	if len(m.Files) == 0 {
		return sink.Cursor{}
	}
	return m.Files[len(m.Files)-1].End.Cursor
}

// head is a durable position in the active file. It is written at most once a second, and when the
// sink is closed, so the file may be longer.
type head struct {
	Version int         `json:"sealstream_sink_head"` // 1
	First   sink.Cursor `json:"first"`                // before the file's first line
	Begun   string      `json:"begun"`                // RFC 3339: when the file was created
	At      mark        `json:"at"`
}

// Errors of reading a manifest or a head.
var (
	errUnsigned = errors.New("its mac is invalid")
	errVersion  = errors.New("not of this release")
)

// signed is the second line of a signed file. The first line is JSON, and the second one has its
// MAC.
type signed struct {
	Key string `json:"key_id"`
	MAC string `json:"mac"`
}

func writeSigned(path, of string, v any, k Key) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	seal, err := json.Marshal(signed{k.ID, k.mac(of, body)})
	if err != nil {
		return err
	}
	return replace(path, append(append(append(body, '\n'), seal...), '\n'))
}

// readSigned reads a file of writeSigned into v. there is false if the file does not exist. An
// empty ring checks no MAC.
func readSigned(path, of string, v any, ring Ring) (there bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	body, rest, _ := bytes.Cut(text, []byte("\n"))
	var s signed
	if err := json.Unmarshal(rest, &s); err != nil {
		return true, fmt.Errorf("%s: %w", filepath.Base(path), errUnsigned)
	}
	if len(ring) > 0 {
		k := ring.find(s.Key)
		if k == nil {
			return true, fmt.Errorf("%s: %w: it was signed with %.40q", filepath.Base(path), errKeyID, s.Key)
		}
		if !hmac.Equal([]byte(k.mac(of, body)), []byte(s.MAC)) {
			return true, fmt.Errorf("%s: %w", filepath.Base(path), errUnsigned)
		}
	}
	if err := json.Unmarshal(body, v); err != nil {
		return true, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return true, nil
}

func readManifest(p place, ring Ring) (m manifest, there bool, err error) {
	there, err = readSigned(p.manifest(), "manifest", &m, ring)
	if err == nil && there && m.Version != 1 {
		err = fmt.Errorf("%s: %w", filepath.Base(p.manifest()), errVersion)
	}
	return m, there, err
}

func readHead(p place, ring Ring) (h head, there bool, err error) {
	there, err = readSigned(p.head(), "head", &h, ring)
	if err == nil && there && h.Version != 1 {
		err = fmt.Errorf("%s: %w", filepath.Base(p.head()), errVersion)
	}
	return h, there, err
}
