package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/redact"
)

type redactCmd struct {
	Test redactTestCmd `cmd:"" help:"Redact a file as the log would, and list what was found where."`
}

func (*redactCmd) Help() string {
	return `A log redacts by the rules that its newest config names: sealstream up --redaction off|default|FILE.

Examples:
  sealstream redact test event.json
  sealstream redact test - --rules rules.yaml < agent.log`
}

func (*redactTestCmd) Help() string {
	return "Examples:\n  sealstream redact test event.json\n  sealstream redact test - --rules rules.yaml < agent.log"
}

type redactTestCmd struct {
	File  string `arg:"" help:"File of a JSON value or any other text. - is standard input." placeholder:"FILE"`
	Rules string `help:"Rules: default, or a YAML file of rules." default:"default" placeholder:"default|FILE"`
}

// maxRedactTest is the longest text that is read, in bytes. No message is longer.
const maxRedactTest = ruleset.MaxMessageBytes

// Run prints the redacted text, and on standard error what was found. With --json it prints both in
// one object.
func (c *redactTestCmd) Run(a *app) error {
	rules, err := program.Plugins(nil).ReadRedaction(c.Rules)
	if err != nil {
		return err
	}
	if rules == nil {
		return errors.New("redact test: these rules redact nothing")
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
	if canonical.CheckJSON(text, ruleset.MaxDepth) == nil {
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
		err = fmt.Errorf("redact test: the text is longer than %d bytes, the limit of a message", maxRedactTest)
	}
	return text, err
}
