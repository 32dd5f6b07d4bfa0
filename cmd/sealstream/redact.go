package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/node"
	"github.com/sealstream/sealstream/pkg/redact"
)

type redactCmd struct {
	Test redactTestCmd `cmd:"" help:"Redact a file as the log would, and say what was found where."`
}

func (*redactCmd) Help() string {
	return `A log redacts by the rules that its newest config names: sealstream up --redaction off|default|FILE.

Example:
  sealstream redact test event.json
  sealstream redact test - --rules rules.yaml < agent.log`
}

type redactTestCmd struct {
	File  string `arg:"" help:"One JSON value, or any other text; - is the standard input." placeholder:"FILE"`
	Rules string `help:"The rules: default, or a file of rules (YAML)." default:"default" placeholder:"default|FILE"`
}

// maxRedactTest bounds what is read: no message is longer.
const maxRedactTest = entry.MaxMessageBytes

// Run prints the redacted text, and on the other stream what was found; with --json both in one object.
func (c *redactTestCmd) Run(a *app) error {
	rules, err := node.ReadRedaction(c.Rules)
	if err != nil {
		return err
	}
	if rules == nil {
		return errors.New("nothing is redacted with these rules")
	}
	set, err := redact.Compile(rules)
	if err != nil {
		return err
	}
	text, err := c.read(a)
	if err != nil {
		return err
	}
	var found []redact.Finding
	out, path := text, ""
	if entry.CheckJSON(text, entry.MaxDepth) == nil {
		out, found = set.JSON(text, path)
	} else {
		var kinds []string
		out, kinds = set.Text(text)
		for _, k := range kinds {
			found = append(found, redact.Finding{Kind: k})
		}
	}
	if a.json {
		list := make([]map[string]string, len(found))
		for i, f := range found {
			list[i] = map[string]string{"kind": f.Kind, "path": f.Path}
		}
		return a.print(map[string]any{"redacted": string(out), "redactions": list})
	}
	for _, f := range found {
		fmt.Fprintln(a.err, plain(f.Kind+" "+f.Path))
	}
	_, err = a.out.Write(out)
	return err
}

func (c *redactTestCmd) read(a *app) ([]byte, error) {
	in := a.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxRedactTest+1))
	if err == nil && len(text) > maxRedactTest {
		err = fmt.Errorf("more than %d bytes, the most that a message holds", maxRedactTest)
	}
	return text, err
}
