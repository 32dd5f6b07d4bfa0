package node

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// group runs parts until stop. The first part that returns an error stops the others; the error,
// with the name of the part, is then the cause of ctx.
type group struct {
	ctx    context.Context
	cancel context.CancelFunc
	parts  *errgroup.Group
}

func newGroup(ctx context.Context) *group {
	ctx, cancel := context.WithCancel(ctx)
	parts, ctx := errgroup.WithContext(ctx)
	return &group{ctx: ctx, cancel: cancel, parts: parts}
}

// run starts a part. A part that returns nil leaves the others alone.
func (g *group) run(name string, part func(context.Context) error) {
	g.parts.Go(func() error {
		if err := part(g.ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// stop ends all parts and waits for them. What one of them failed with is the cause of ctx.
func (g *group) stop() {
	g.cancel()
	g.parts.Wait()
}
