package api

// ParamError reports an invalid parameter of a request and the reason. Param is empty if the error
// concerns the whole query string.
type ParamError struct{ Param, Reason string }

// Error returns the parameter and the reason.
func (e *ParamError) Error() string {
	if e.Param == "" {
		return e.Reason
	}
	return e.Param + ": " + e.Reason
}
