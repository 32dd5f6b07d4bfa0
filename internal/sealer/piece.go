package sealer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/entry"
)

// pieceSize is how many indexes a full piece of a snapshot holds.
const pieceSize = 1 << 15

// recordBytes is the size of a record in a piece: a flag, the key and the fingerprint.
const recordBytes = 1 + len(half{}) + len(half{})

// piece is a range of indexes of the window, in a file of its own. A full piece never changes.
// Rules, size and root are those of the commit after which it was written, which covers all of its
// indexes.
type piece struct {
	Number uint64     `json:"number"` // the first index divided by the size of a full piece
	First  uint64     `json:"first"`
	End    uint64     `json:"end"` // the index after the last one
	Rules  uint64     `json:"rules"`
	Size   uint64     `json:"size"`
	Root   entry.Hash `json:"root"`
	MAC    entry.Hash `json:"mac"`
}

// file returns the name of the piece's file. Another content has another name, so that no file that
// a snapshot needs is ever replaced.
func (p piece) file() string { return fmt.Sprintf("%s%d-%x", pieceFile, p.Number, p.MAC[:8]) }

// snapshotKey is the key of the MACs of a snapshot. It follows from the log secret. Nothing else
// that the secret is used for begins with this label: salts begin with the length of a source.
type snapshotKey []byte

func newSnapshotKey(secret []byte) snapshotKey {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("sealstream/v1/snapshot"))
	return mac.Sum(nil)
}

// pieceMAC returns the MAC of a piece of the log with that origin.
func (k snapshotKey) pieceMAC(origin string, p piece, content []byte) (sum entry.Hash) {
	mac := hmac.New(sha256.New, k)
	head := canonical.AppendLP(canonical.AppendLP(nil, "piece"), origin)
	head = binary.BigEndian.AppendUint64(head, p.Rules)
	head = binary.BigEndian.AppendUint64(head, p.Size)
	head = append(head, p.Root[:]...)
	head = binary.BigEndian.AppendUint64(head, p.Number)
	head = binary.BigEndian.AppendUint64(head, p.First)
	mac.Write(head)
	canonical.WriteLP(mac, content)
	mac.Sum(sum[:0])
	return sum
}

// headMAC returns the MAC of the head of a snapshot.
func (k snapshotKey) headMAC(text []byte) (sum entry.Hash) {
	mac := hmac.New(sha256.New, k)
	mac.Write(canonical.AppendLP(nil, "head"))
	canonical.WriteLP(mac, text)
	mac.Sum(sum[:0])
	return sum
}

// Reasons why a record cannot be copied now.
var (
	errOverwritten = errors.New("the ring no longer has a record")
	errUnsettled   = errors.New("the entry of a record may not be committed")
)

// copyRecords is how many records are copied while the sealer waits, for some 20 µs.
const copyRecords = 1024

// appendRecords appends the records of the indexes from first to end-1. It may be called while the
// sealer adds entries, and fails if one of the indexes is not settled.
func (w *window) appendRecords(dst []byte, first, end uint64) ([]byte, error) {
	for first < end {
		next := min(first+copyRecords, end)
		var err error
		if dst, err = w.appendSome(dst, first, next); err != nil {
			return nil, err
		}
		first = next
	}
	return dst, nil
}

func (w *window) appendSome(dst []byte, first, end uint64) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case end > w.settled:
		return nil, errUnsettled
	case first < w.intact():
		return nil, errOverwritten
	}
	for i := first; i < end; i++ {
		r := w.at(i + 1)
		flag := byte(0)
		if r.event {
			flag = 1
		}
		dst = append(append(append(dst, flag), r.key[:]...), r.fingerprint[:]...)
	}
	return dst, nil
}

// addRecords adds records that appendRecords made, from index w.next on.
func (w *window) addRecords(content []byte) {
	for ; len(content) > 0; content = content[recordBytes:] {
		w.addRecord(record{
			event: content[0] == 1, key: half(content[1:]), fingerprint: half(content[1+len(half{}):]),
		})
	}
}

// settle notes that the entries of all indexes before size are committed.
func (w *window) settle(size uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled = size
}

// held returns the first index of which the ring has the record.
func (w *window) held() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.intact()
}

// intact returns the first index whose record was not overwritten. Records that were taken back had
// overwritten older ones.
func (w *window) intact() uint64 {
	if n := uint64(len(w.ring)); w.peak-w.low > n {
		return w.peak - n
	}
	return w.low
}
