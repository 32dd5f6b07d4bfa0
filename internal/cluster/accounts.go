package cluster

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/streams/subject"
)

// Limits of what one user may hold of a server. The connections are those of a whole cluster; the
// subscriptions those of one connection. The payload is limited by max_payload for all: what a
// broker refuses leaves no trace in the log, and what the sealer refuses does.
const (
	serviceConnections = 128
	agentConnections   = 256
	maxSubscriptions   = 256
)

// How long a server routes the answers to a request that came from another account.
const (
	submitThreshold = "5m" // an answer may wait for witnesses
	pullThreshold   = "1m" // a reader's pull expires after 30 s
)

// jsInfo is a request that no role may send. Without the import of it, a server would answer all
// requests of the account to JetStream, too: that the account has none.
const jsInfo = "$JS.API.INFO"

// ingestAccount is the account to which agents send requests with events.
const ingestAccount = "INGEST"

// account is an account of a server with one user, except LOG, which has two.
type account struct {
	name        string
	roles       []Role
	keys        []string // public keys of the roles
	connections int      // 0: as many as the server allows
}

// users is users.conf. It makes the keys that are missing.
func (cfg Config) users() (string, error) {
	list := []*account{{name: accountLog}}
	for _, r := range Roles(cfg.Log) {
		key, err := userKey(filepath.Join(cfg.Out, r.Name+".nkey"))
		if err != nil {
			return "", err
		}
		of := list[0]
		if r.Account != accountLog {
			of = &account{name: r.Account, connections: serviceConnections}
			list = append(list, of)
		}
		of.roles, of.keys = append(of.roles, r), append(of.keys, key)
	}
	agents, err := cfg.agents()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("accounts {\n")
	for _, a := range append(list, agents...) {
		a.write(&b, cfg.Log)
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// agents are the accounts of the agents that have a key, and of those that get one now.
func (cfg Config) agents() (list []*account, err error) {
	dir := filepath.Join(cfg.Out, "agents")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, did := range cfg.Agents {
		if _, err := userKey(filepath.Join(dir, subject.AgentToken(did)+".nkey")); err != nil {
			return nil, err
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.nkey"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		key, err := userKey(file)
		if err != nil {
			return nil, err
		}
		r := agentRole(cfg.Log, strings.TrimSuffix(filepath.Base(file), ".nkey"))
		list = append(list, &account{
			name: r.Account, roles: []Role{r}, keys: []string{key},
			connections: cmp.Or(cfg.AgentMax, agentConnections),
		})
	}
	return list, nil
}

// write appends the account to a server's configuration.
func (a *account) write(b *strings.Builder, log string) {
	fmt.Fprintf(b, "  %s {\n", a.name)
	if a.name == accountLog {
		fmt.Fprintf(b, "    jetstream: enabled\n    exports: [\n")
		for _, e := range exports(log) {
			fmt.Fprintf(b, "      %s\n", e)
		}
		b.WriteString("    ]\n")
	} else {
		fmt.Fprintf(b, "    limits: {max_connections: %d, max_subscriptions: %d}\n", a.connections, maxSubscriptions)
	}
	if a.name == ingestAccount {
		fmt.Fprintf(b, "    exports: [{service: %q, threshold: %q}]\n", subject.Submit(log, "*"), submitThreshold)
	}
	for _, r := range a.roles {
		if r.Account == accountLog {
			continue
		}
		b.WriteString("    imports: [\n")
		for _, s := range r.imports() {
			from := accountLog
			if strings.HasPrefix(s, subject.Submit(log, "")) {
				from = ingestAccount
			}
			fmt.Fprintf(b, "      {service: {account: %s, subject: %q}}\n", from, s)
		}
		b.WriteString("    ]\n")
	}
	b.WriteString("    users: [\n")
	for i, r := range a.roles {
		r.write(b, a.keys[i])
	}
	b.WriteString("    ]\n  }\n")
}

// imports are the subjects of other accounts that the account of a role needs.
func (r Role) imports() []string {
	if slices.ContainsFunc(r.Publish, func(s string) bool { return strings.HasPrefix(s, "$JS.API.") }) {
		return append([]string{jsInfo}, r.Publish...)
	}
	return r.Publish
}

// exports are what the accounts of the services import of LOG, each named, and the events of any
// agent.
func exports(log string) (lines []string) {
	importers := map[string][]string{}
	for _, r := range Roles(log) {
		if r.Account == accountLog {
			continue
		}
		for _, s := range r.imports() {
			importers[s] = append(importers[s], r.Account)
		}
	}
	for s, accounts := range importers {
		answers := ""
		if strings.HasPrefix(s, js("CONSUMER.MSG.NEXT", "")) {
			answers = fmt.Sprintf(", response: stream, threshold: %q", pullThreshold)
		}
		lines = append(lines, fmt.Sprintf("{service: %q%s, accounts: [%s]}", s, answers, strings.Join(accounts, ", ")))
	}
	slices.Sort(lines)
	return append(lines, fmt.Sprintf("{service: %q}", subject.Events(log, "*")))
}

// write appends a user to a server's configuration.
func (r Role) write(b *strings.Builder, nkey string) {
	quoted := func(list []string) string {
		q := make([]string, len(list))
		for i, s := range list {
			q[i] = fmt.Sprintf("%q", s)
		}
		return "[" + strings.Join(q, ", ") + "]"
	}
	respond := ""
	if r.Respond {
		respond = fmt.Sprintf(`, allow_responses: {max: 1, expires: %q}`, submitThreshold)
	}
	fmt.Fprintf(b, "      { nkey: %s, permissions: {publish: {allow: %s}, subscribe: {allow: %s}%s} } # %s\n",
		nkey, quoted(r.Publish), quoted(r.Subscribe), respond, r.Name)
}
