package natsd

import (
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
)

// accountBefore is the account that held the streams before anonymous clients got an account of
// their own.
const accountBefore = "$G"

// StreamFolder returns the folder of a stream of the log's account.
func StreamFolder(storeDir, stream string) string {
	return filepath.Join(storeDir, server.JetStreamStoreDir, accountLog, "streams", stream)
}

// OlderLayout reports whether a store has its streams where older releases kept them, and the
// folders to move them from and to. Renaming one to the other is sufficient.
func OlderLayout(storeDir string) (from, to string, older bool) {
	folder := func(account string) string { return filepath.Join(storeDir, server.JetStreamStoreDir, account) }
	from, to = folder(accountBefore), folder(accountLog)
	return from, to, hasMessages(from) && !hasMessages(to)
}

// hasMessages reports whether a stream of an account has a message. A release without support for
// the older layout may have created empty streams beside it.
func hasMessages(account string) bool {
	streams, err := os.ReadDir(filepath.Join(account, "streams"))
	if err != nil {
		return false
	}
	for _, s := range streams {
		blocks, err := os.ReadDir(filepath.Join(account, "streams", s.Name(), "msgs"))
		if err != nil {
			continue
		}
		for _, b := range blocks {
			if info, err := b.Info(); err == nil && filepath.Ext(b.Name()) == ".blk" && info.Size() > 0 {
				return true
			}
		}
	}
	return false
}
