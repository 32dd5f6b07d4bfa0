package store_test

import (
	"testing"

	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.Log { return store.NewMemory("default") })
}
