//go:build linux || darwin

package disk

import "golang.org/x/sys/unix"

func look(folder string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return Space{}, err
	}
	var st unix.Stat_t
	if err := unix.Stat(folder, &st); err != nil {
		return Space{}, err
	}
	block := uint64(s.Bsize)
	return Space{
		Free:      uint64(s.Bavail) * block,
		Size:      uint64(s.Blocks) * block,
		Inodes:    uint64(s.Ffree),
		AllInodes: uint64(s.Files),
		device:    uint64(st.Dev),
	}, nil
}
