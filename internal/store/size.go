package store

import "context"

// Size is how many bytes a stream or bucket holds, and may hold.
type Size struct {
	Bytes uint64
	Limit uint64 // at which it refuses more with ErrFull; 0: none is known
}

// Free returns how many bytes more it can take. ok is false if there is no limit.
func (s Size) Free() (bytes uint64, limited bool) {
	return max(s.Limit, s.Bytes) - s.Bytes, s.Limit > 0
}

// Reserve returns the part of the limit that is kept for what the log itself must still write when
// it takes no more events: announcements of administrators, and erasures. It is 1/32 of the limit
// and at most 64 MiB.
func (s Size) Reserve() uint64 { return min(s.Limit/32, 64<<20) }

// Full reports whether no more than the reserve is left.
func (s Size) Full() bool {
	free, limited := s.Free()
	return limited && free <= s.Reserve()
}

// Used returns how much of the limit is used, in percent. It is 0 without a limit.
func (s Size) Used() int {
	if s.Limit == 0 {
		return 0
	}
	return int(float64(s.Bytes) / float64(s.Limit) * 100)
}

// Sized is implemented by a stream or bucket that knows its size.
type Sized interface {
	Size(ctx context.Context) (Size, error)
}

// SizeOf returns the size of a stream or bucket. One that does not know it has no limit.
func SizeOf(ctx context.Context, of any) (Size, error) {
	if s, ok := of.(Sized); ok {
		return s.Size(ctx)
	}
	return Size{}, nil
}
