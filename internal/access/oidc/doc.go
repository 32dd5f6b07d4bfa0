// Package oidc checks the JWTs of OpenID Connect issuers. It finds an issuer's keys through its
// discovery document, over TLS, when the first JWT comes: an issuer that is down does not keep a
// server from starting. It accepts EdDSA, ES256 and RS256, and nothing that a JWT says by itself
// about its algorithm or keys.
package oidc
