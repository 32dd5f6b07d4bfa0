package accessfile

import _ "embed"

// Schema is the JSON Schema of access.yaml, for editors. It is also docs/access.schema.json. It
// cannot say everything that Parse checks.
//
//go:embed access.schema.json
var Schema []byte
