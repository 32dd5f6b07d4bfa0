package main

import (
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/access/accessfile"
)

type accessCmd struct {
	Check  accessCheckCmd  `cmd:"" help:"Check a file of rules, and explain what an identity may do."`
	Schema accessSchemaCmd `cmd:"" help:"Print the JSON Schema of such files, for editors."`
}

func (*accessCmd) Help() string {
	return `A file of rules says who is who, and who may do what.

Example:
  sealstream access check access.yaml --as ci --may publish`
}

type accessCheckCmd struct {
	File  string `arg:"" help:"File of the rules of access." type:"path"`
	As    string `help:"Identity that asks." placeholder:"ID"`
	May   string `help:"Scope: publish, read, proof, alerts, export, approve or admin." placeholder:"SCOPE"`
	Agent string `help:"Agent whose events are sent or entries are read." placeholder:"DID"`
}

func (*accessCheckCmd) Help() string {
	return `It exits with 0 for yes, with 1 for no, and with 2 if the file is wrong. Without --as it only checks
the file.

Examples:
  sealstream access check access.yaml
  sealstream access check access.yaml --as ci --may publish`
}

// Run explains a decision.
func (c *accessCheckCmd) Run(a *app) error {
	v, err := accessfile.Load(c.File)
	if err != nil {
		return err
	}
	if c.As == "" && c.May == "" && c.Agent == "" {
		n := len(v.Rules().Identities)
		if a.json {
			return a.print(map[string]any{"file": c.File, "identities": n})
		}
		fmt.Fprintf(a.out, "%s is correct: %d identities\n", plain(c.File), n)
		return nil
	}
	if c.As == "" || c.May == "" {
		return errors.New("--as and --may go together")
	}
	scope, err := access.ParseScope(c.May)
	if err != nil {
		return fmt.Errorf("--may: %w", err)
	}
	if c.Agent != "" && scope != access.Read && scope != access.Publish {
		return fmt.Errorf("--agent goes with --may read and --may publish; %s is not limited to agents", scope)
	}
	d := v.Decide(c.As, scope, c.Agent)
	if a.json {
		err = a.print(d)
	} else {
		answer := "no"
		if d.Allowed {
			answer = "yes"
		}
		_, err = fmt.Fprintf(a.out, "%s: %s\n", answer, plain(d.Reason))
	}
	if err == nil && !d.Allowed {
		err = shown{failed("%s", d.Reason)}
	}
	return err
}

type accessSchemaCmd struct{}

func (*accessSchemaCmd) Help() string {
	return "Example:\n  sealstream access schema > access.schema.json"
}

// Run prints the schema as it is.
func (*accessSchemaCmd) Run(a *app) error {
	_, err := a.out.Write(accessfile.Schema)
	return err
}
