package settings

import "github.com/sealstream/sealstream/internal/size"

// Bytes is a size in bytes. As text it has the form that size.Parse reads.
type Bytes int64

// UnmarshalText reads a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := size.Parse(string(text))
	if err == nil {
		*b = Bytes(n)
	}
	return err
}

// Short returns the size for people.
func (b Bytes) Short() string { return size.Short(int64(b)) }

// MarshalText returns the size in the largest unit that represents it exactly.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(size.Text(int64(b))), nil }
