// Package access says who is who, and who may do what.
//
//	access.yaml ─accessfile─▶ Rules ─Compile─▶ Version ─▶ Caller ─context─▶ handlers
//	request ──────────credential──────────────────┘
//
// Rules are the parsed file. Compile checks them and makes a Version, which never changes. A
// Version judges a credential, such as a bearer token, and gives a Caller: an identity with what it
// may do. A handler takes the Caller from the context of the request, and asks it:
//
//	caller := access.From(r.Context())
//	if !caller.Sees(agent) { … }
//
// The zero Caller may do nothing. A handler that forgets to set a caller so refuses everything. A
// process without access control uses Open, which may do everything.
//
// A request is judged by one Version from its begin to its end. When another version comes into
// force, or when a credential expires, requests that are still running are judged again by Rejudge,
// and end if what they may do has changed.
package access
