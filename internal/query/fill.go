package query

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/store"
)

// Archived gives full parts that the archive keeps as files of this package (Indexer). A service
// whose folder is empty begins with them, instead of reading the whole log first. They are trusted
// no more than files of the folder: their tree must lead to a root that the log's next checkpoint
// confirms, and then they are made again from the log and compared.
type Archived interface {
	// Index reads the index of a part. The error wraps store.ErrNotFound if there is none.
	Index(ctx context.Context, part uint64) ([]byte, error)
}

// fetchPart reads the index of a part from the archive. It returns nil if there is none, or none is
// wanted.
func (q *Query) fetchPart(ctx context.Context, first uint64) ([]byte, error) {
	if q.cfg.Parts == nil || q.folder == "" || q.withoutParts {
		return nil, nil
	}
	data, err := q.cfg.Parts.Index(ctx, first/q.rows)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return data, err
}

// keepFetched writes a part that was fetched into the folder, before anything is read from it. A
// crash leaves some parts, and the next start fetches the others.
func (q *Query) keepFetched(p readPart) error {
	if err := q.folder.writeSegment(p.about.First, p.data); err != nil {
		return fmt.Errorf("keep a part of the archive: %w", err)
	}
	return q.readFromFile(p.frozen)
}
