package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sealstream/sealstream/pkg/node"
)

type doctorCmd struct {
	Data  string `help:"Data directory to look at." type:"path" placeholder:"DIR" default:"sealstream-data" env:"SEALSTREAM_DATA"`
	Ready string `help:"Only ask this URL, and exit with 0 if its status is 200: for health checks." placeholder:"URL"`
}

func (*doctorCmd) Help() string {
	return "Looks at the data directory (format, keys, lock, disk) and, if one answers, at the server: durability, readiness, lag.\n\nExample:\n  sealstream doctor --data sealstream-data"
}

// Run prints what it finds; a finding that is wrong makes it exit with 1.
func (c *doctorCmd) Run(a *app) error {
	if c.Ready != "" {
		if err := node.Ready(a.ctx, &http.Client{Timeout: 3 * time.Second}, c.Ready); err != nil {
			return fmt.Errorf("%w: %w", errFailed, err)
		}
		return nil
	}
	findings := node.CheckUp(c.Data)
	findings = append(findings, c.server(a)...)
	bad := 0
	for _, f := range findings {
		if f.State == node.Wrong {
			bad++
		}
	}
	if a.json {
		if err := a.print(map[string]any{"findings": findings, "healthy": bad == 0}); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			fmt.Fprintf(a.out, "%-6s %-14s %s\n", f.State, f.What, f.Text)
		}
	}
	if bad > 0 {
		return shown{failed("%d findings", bad)}
	}
	return nil
}

// server asks a running log how it is.
func (c *doctorCmd) server(a *app) []node.Finding {
	var stats struct {
		Origin     string `json:"origin"`
		TreeSize   uint64 `json:"tree_size"`
		Durability string `json:"durability"`
	}
	if err := a.get("/v1/stats", nil, &stats); err != nil {
		return []node.Finding{{State: node.Note, What: "server", Text: err.Error()}}
	}
	list := []node.Finding{{State: node.Good, What: "server", Text: fmt.Sprintf("%s serves %s, size %d", a.server, stats.Origin, stats.TreeSize)}}
	if body, err := a.open("/readyz", nil, ""); err != nil {
		list = append(list, node.Finding{State: node.Wrong, What: "readiness", Text: err.Error()})
	} else {
		body.Close()
		list = append(list, node.Finding{State: node.Good, What: "readiness", Text: "events are accepted"})
	}
	switch stats.Durability {
	case "fsync":
		list = append(list, node.Finding{State: node.Good, What: "durability", Text: "an event is on disk before it is acknowledged"})
	case "":
		list = append(list, node.Finding{State: node.Note, What: "durability", Text: "this service does not know; ask its ingest"})
	default:
		list = append(list, node.Finding{State: node.Note, What: "durability", Text: "relaxed: a power failure loses acknowledged events"})
	}
	return list
}
