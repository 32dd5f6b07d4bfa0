package canonical_test

import (
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
)

func ExampleTime() {
	t, err := canonical.Time("2026-11-24T09:30:00.50+01:00")
	fmt.Println(t, err)
	// Output: 2026-11-24T08:30:00.50Z <nil>
}
