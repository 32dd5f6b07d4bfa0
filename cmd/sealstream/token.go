package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/access/accessfile"
	"github.com/sealstream/sealstream/internal/when"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a bearer token. It is printed once."`
	List   tokenListCmd   `cmd:"" help:"List the tokens of a file."`
	Revoke tokenRevokeCmd `cmd:"" help:"Remove a token. Servers refuse it within a second."`
}

func (*tokenCmd) Help() string {
	return `Tokens stand as hashes in the file of rules of access, which servers read again when it changes.

Example:
  sealstream token create --name ci --publish did:web:a.example --read all
  sealstream up --access access.yaml`
}

// accessFlag names the file of rules of access.
type accessFlag struct {
	Access string `help:"File of the rules of access." default:"access.yaml" type:"path" env:"SEALSTREAM_ACCESS" placeholder:"FILE"`
}

type tokenCreateCmd struct {
	accessFlag
	Name     string   `help:"Name of the token." required:"" placeholder:"NAME"`
	Identity string   `help:"Identity that the token proves, shown as publisher (default: the token's name)." placeholder:"ID"`
	Expires  string   `help:"When the token expires: a time from now such as 90d or 12h, a date, or never." default:"90d" placeholder:"TIME"`
	Publish  []string `help:"Agent whose events may be sent. A * at the end stands for any rest. Repeat it for several." sep:"none" placeholder:"DID"`
	Read     []string `help:"Agent whose entries may be read, or all. Repeat it for several." sep:"none" placeholder:"all|DID"`
	Proof    bool     `help:"Let hashes and proofs be read (default: with --publish or --read)." default:"true" negatable:""`
	Alerts   bool     `help:"Let alerts be read."`
	Export   bool     `help:"Let entries be exported."`
	Approve  bool     `help:"Let requests for approval be decided."`
	Admin    bool     `help:"Let metrics and health be read, and alerts be sent again."`
}

func (*tokenCreateCmd) Help() string {
	return `The identity is made if it is not there. An identity that is there keeps its rights: leave out the
flags of scopes then.

Examples:
  sealstream token create --name ci --publish did:web:agent.example.com
  sealstream token create --name laptop --identity alice --read all --export`
}

// Run makes a token, adds its hash to the file, and prints the token to standard output, alone.
func (c *tokenCreateCmd) Run(a *app) error {
	expires, err := c.expires(time.Now())
	if err != nil {
		return err
	}
	grants, err := c.grants()
	if err != nil {
		return err
	}
	if c.Identity == "" {
		c.Identity = c.Name
	}
	token := access.NewToken()
	hash := access.TokenHash{Name: c.Name, Hash: access.HashToken(token), Expires: expires}
	err = accessfile.Update(a.ctx, c.Access, func(name string, text []byte) ([]byte, error) {
		return accessfile.AddToken(name, text, c.Identity, hash, grants)
	})
	if err != nil {
		return err
	}
	if a.json {
		out := map[string]any{"token": token, "name": c.Name, "identity": c.Identity, "file": c.Access}
		if !expires.IsZero() {
			out["expires"] = expires
		}
		return a.print(out)
	}
	fmt.Fprintln(a.out, token)
	fmt.Fprintf(a.err, "this token of %s is not shown again; its hash was added to %s; %s\n",
		c.Identity, plain(c.Access), expiry(expires, time.Now()))
	return nil
}

// grants returns what the flags allow, or nil if no scope is given.
func (c *tokenCreateCmd) grants() (*access.Grants, error) {
	g := &access.Grants{
		Publish: c.Publish, Alerts: c.Alerts, Export: c.Export, Approve: c.Approve, Admin: c.Admin,
	}
	g.ReadAll = slices.Contains(c.Read, "all")
	if !g.ReadAll {
		g.Read = c.Read
	} else if len(c.Read) > 1 {
		return nil, errors.New("--read is all, or one agent or more, not both")
	}
	reads := g.ReadAll || len(g.Read) > 0
	if !reads && len(g.Publish) == 0 && !g.Alerts && !g.Export && !g.Approve && !g.Admin {
		return nil, nil
	}
	if g.Export && !reads {
		return nil, errors.New("--export needs --read: only what may be read can be exported")
	}
	g.Proof = c.Proof && (reads || len(g.Publish) > 0)
	return g, nil
}

// expires parses --expires; zero means never.
func (c *tokenCreateCmd) expires(now time.Time) (at time.Time, err error) {
	if c.Expires == "never" {
		return at, nil
	}
	if ago, err := when.Start(c.Expires, now); err == nil && isSpan(c.Expires) {
		at = now.Add(now.Sub(ago)) // a time ago, turned around
	} else if at, err = when.Start(c.Expires, now); err != nil {
		return at, fmt.Errorf("--expires %.40q: use a time from now such as 90d or 12h, a date, or never", c.Expires)
	}
	if at = at.UTC().Truncate(time.Second); !at.After(now) {
		return at, fmt.Errorf("--expires %s is in the past", c.Expires)
	}
	return at, nil
}

// isSpan reports whether a time is given as a number of units, such as 90d.
func isSpan(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.wdhms") == "" && strings.ContainsAny(s, "wdhms")
}

func expiry(at, now time.Time) string {
	switch {
	case at.IsZero():
		return "it never expires"
	case !at.After(now):
		return "it has expired"
	}
	return "it expires " + at.Format(time.RFC3339)
}

type tokenListCmd struct{ accessFlag }

func (*tokenListCmd) Help() string { return "Example:\n  sealstream token list --access access.yaml" }

// listedToken is a line of the list.
type listedToken struct {
	Identity string     `json:"identity"`
	Name     string     `json:"name"`
	Expires  *time.Time `json:"expires,omitempty"`
	Expired  bool       `json:"expired"`
	SHA256   string     `json:"sha256"`
}

// Run lists the tokens in the order of the file.
func (c *tokenListCmd) Run(a *app) error {
	v, err := accessfile.Load(c.Access)
	if err != nil {
		return err
	}
	list, now := []listedToken{}, time.Now()
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, d := range v.Rules().Identities {
		for _, x := range d.Tokens {
			one := listedToken{Identity: d.ID, Name: x.Name, SHA256: fmt.Sprintf("%x", x.Hash)}
			if !x.Expires.IsZero() {
				one.Expires, one.Expired = &x.Expires, !x.Expires.After(now)
			}
			list = append(list, one)
			if !a.json {
				fmt.Fprintf(t, "%s\t%s\t%s\n", d.ID, x.Name, expiry(x.Expires, now))
			}
		}
	}
	if a.json {
		return a.print(list)
	}
	return t.Flush()
}

type tokenRevokeCmd struct {
	accessFlag
	Name     string `arg:"" help:"Name of the token."`
	Identity string `help:"Identity of the token, if several have one of this name." placeholder:"ID"`
}

func (*tokenRevokeCmd) Help() string { return "Example:\n  sealstream token revoke ci" }

// Run removes a token from the file.
func (c *tokenRevokeCmd) Run(a *app) error {
	err := accessfile.Update(a.ctx, c.Access, func(name string, text []byte) ([]byte, error) {
		id, err := c.owner(name, text)
		if err != nil {
			return nil, err
		}
		c.Identity = id
		return accessfile.RemoveToken(name, text, id, c.Name)
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]string{"identity": c.Identity, "revoked": c.Name, "file": c.Access})
	}
	fmt.Fprintf(a.err, "revoked the token %s of %s\n", c.Name, c.Identity)
	return nil
}

// owner returns the identity whose token is meant.
func (c *tokenRevokeCmd) owner(name string, text []byte) (string, error) {
	v, err := accessfile.Parse(name, text)
	if err != nil || c.Identity != "" {
		return c.Identity, err
	}
	var owners []string
	for _, d := range v.Rules().Identities {
		if slices.ContainsFunc(d.Tokens, func(t access.TokenHash) bool { return t.Name == c.Name }) {
			owners = append(owners, d.ID)
		}
	}
	switch len(owners) {
	case 1:
		return owners[0], nil
	case 0:
		return "", failed("%s has no token %q", name, c.Name)
	}
	return "", fmt.Errorf("several identities have a token %q: %s; give --identity", c.Name, strings.Join(owners, ", "))
}
