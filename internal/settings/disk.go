package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/disk"
)

// Room is an amount of disk space: "5%", "1GiB" or, for the smaller of both, "5%,1GiB". The zero
// value means the default.
type Room struct {
	text  string
	level disk.Level
}

// UnmarshalText parses an amount.
func (r *Room) UnmarshalText(text []byte) error {
	var l disk.Level
	parts := strings.Split(string(text), ",")
	if len(text) == 0 {
		*r = Room{}
		return nil
	}
	if len(parts) > 2 {
		return fmt.Errorf("%.40q: %w", text, errRoom)
	}
	for i, part := range parts {
		if share, ok := strings.CutSuffix(strings.TrimSpace(part), "%"); ok && l.Share == 0 {
			n, err := strconv.ParseFloat(share, 64)
			if err != nil || !(n >= 0 && n < 100) || i > 0 {
				return fmt.Errorf("%.40q: %w", text, errRoom)
			}
			l.Share = n / 100
			continue
		}
		var n Bytes
		if err := n.UnmarshalText([]byte(part)); err != nil || l.Most > 0 || i != len(parts)-1 {
			return fmt.Errorf("%.40q: %w", text, errRoom)
		}
		l.Most = uint64(n)
	}
	*r = Room{string(text), l}
	return nil
}

var errRoom = errors.New("not a share below 100%, a size, or both with a comma between")

// MarshalText returns the text that was parsed.
func (r Room) MarshalText() ([]byte, error) { return []byte(r.text), nil }

// DiskFlags are the disk limits of every program that writes to a disk.
type DiskFlags struct {
	DiskWarn      Room `help:"Warn if less disk space is free: a share of the disk, a size, or both, of which the smaller counts. Default: 15%,10GiB." default:"15%,10GiB" placeholder:"ROOM"`
	DiskReserve   Room `help:"Refuse new events if less disk space is free. Sealing and indexing use this reserve. Default: 5%,1GiB." default:"5%,1GiB" placeholder:"ROOM"`
	InodesWarn    Room `help:"Warn if fewer inodes are free. Default: 15%,100000." default:"15%,100000" placeholder:"ROOM"`
	InodesReserve Room `help:"Refuse new events if fewer inodes are free. Default: 5%,10000." default:"5%,10000" placeholder:"ROOM"`
}

// Limits returns the limits, with defaults for flags that are not set.
func (f DiskFlags) Limits() disk.Limits {
	l := disk.Defaults
	for _, d := range []struct {
		flag  Room
		level *disk.Level
	}{
		{f.DiskWarn, &l.Warn}, {f.DiskReserve, &l.Reserve}, {f.InodesWarn, &l.WarnInodes},
		{f.InodesReserve, &l.ReserveInodes},
	} {
		if d.flag.text != "" {
			*d.level = d.flag.level
		}
	}
	return l
}
