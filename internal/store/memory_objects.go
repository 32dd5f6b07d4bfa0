package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

// MemoryObjects is Objects in memory. Make it with NewMemoryObjects.
type MemoryObjects struct {
	mu     sync.Mutex
	values map[string][]byte
}

var _ Objects = (*MemoryObjects)(nil)

// NewMemoryObjects returns an empty bucket.
func NewMemoryObjects() *MemoryObjects { return &MemoryObjects{values: map[string][]byte{}} }

// Open implements Objects.
func (o *MemoryObjects) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	v, ok := o.values[name]
	if !ok {
		return nil, fmt.Errorf("object %s: %w", name, ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(v)), nil // never written to: Put replaces it
}

// Put implements Objects.
func (o *MemoryObjects) Put(ctx context.Context, name string, r io.Reader) error {
	v, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("object %s: %w", name, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.values[name] = v
	return nil
}

// Delete implements Objects.
func (o *MemoryObjects) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.values, name)
	return nil
}
