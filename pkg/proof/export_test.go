package proof

// What tests outside the package need of its inside.
var (
	PathOf       = pathOf
	ErrPolicy    = errPolicy
	ErrStatement = errStatement
)
