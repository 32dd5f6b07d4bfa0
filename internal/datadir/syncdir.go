package datadir

import "github.com/sealstream/sealstream/internal/durable"

// SyncDir makes the names in a directory durable. On Windows it does nothing but look whether the
// directory is there.
func SyncDir(dir string) error { return durable.SyncDir(dir) }
