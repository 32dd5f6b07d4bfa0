package store_test

import (
	"testing"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.Log { return store.NewMemory("default") })
}
