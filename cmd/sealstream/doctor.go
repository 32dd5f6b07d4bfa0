package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/readiness"
)

type doctorCmd struct {
	Data  string `help:"Data directory to check." type:"path" placeholder:"DIR" default:"sealstream-data" env:"SEALSTREAM_DATA"`
	Ready string `help:"Only request this URL, and exit with 0 if the status is 200. Use it as a health check." placeholder:"URL"`
}

func (*doctorCmd) Help() string {
	return `Checks the data directory: format, keys, lock and disk. If a server answers, it also checks the
server: durability, readiness, and each condition of /readyz, such as a stream that is nearly full
or events that wait to be sealed. --server may name any service.

Example:
  sealstream doctor --data sealstream-data`
}

// Run prints its findings. It fails if one of them is wrong.
func (c *doctorCmd) Run(a *app) error {
	if c.Ready != "" {
		client := a.plainClient()
		client.Timeout = 3 * time.Second
		if err := readiness.Check(a.ctx, client, c.Ready); err != nil {
			return fmt.Errorf("%w: %w", errFailed, err)
		}
		return nil
	}
	findings := datadir.Diagnose(c.Data)
	findings = append(findings, c.server(a)...)
	bad := 0
	for _, f := range findings {
		if f.State == datadir.Wrong {
			bad++
		}
	}
	if a.json {
		if err := a.print(map[string]any{"findings": findings, "healthy": bad == 0}); err != nil {
			return err
		}
	} else {
		s := a.style()
		for _, f := range findings {
			io.WriteString(a.out, s.wrap(fmt.Sprintf("%-6s %-14s %s", f.State, f.What, f.Text), 22))
		}
	}
	if bad > 0 {
		return shown{failed("%d findings", bad)}
	}
	return nil
}

// server returns the findings on a running log, or on one of its services.
func (c *doctorCmd) server(a *app) []datadir.Finding {
	var stats struct {
		Origin     string `json:"origin"`
		TreeSize   uint64 `json:"tree_size"`
		Durability string `json:"durability"`
	}
	readyURL := strings.TrimRight(a.server, "/") + "/readyz?log=" + url.QueryEscape(a.logName)
	ready, err := readiness.Ask(a.ctx, a.httpClient(), readyURL)
	if err != nil {
		state := datadir.Note
		if a.server != defaultServer { // somebody expects one there
			state = datadir.Wrong
		}
		return []datadir.Finding{{State: state, What: "server", Text: noAnswer(a.server, err).Error()}}
	}
	var list []datadir.Finding
	add := func(state, what, text string) {
		list = append(list, datadir.Finding{State: state, What: what, Text: text})
	}
	if err := a.get("/v1/stats", nil, &stats); err == nil {
		add(datadir.Good, "server", fmt.Sprintf("%s serves %s, size %d", place(a.server), stats.Origin, stats.TreeSize))
	} else {
		add(datadir.Note, "server", place(a.server)+" answers, but is not a query service")
	}
	list = append(list, ready.Findings()...)
	switch cmp.Or(stats.Durability, ready.Durability) {
	case "fsync":
		add(datadir.Good, "durability", "an event is on disk before it is acknowledged")
	case "":
		add(datadir.Note, "durability", "this service does not know; ask ingest")
	default:
		add(datadir.Note, "durability", "relaxed: a power failure loses acknowledged events")
	}
	return list
}
