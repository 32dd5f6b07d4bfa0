package main

import (
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/migrate"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/program"
)

type rulesCmd struct {
	Upgrade rulesUpgradeCmd `cmd:"" help:"Raise the sealing rules of a log to the newest that this release knows."`
}

const rulesExample = `Example:
  sealstream rules upgrade --data sealstream-data
  sealstream rules upgrade --nats nats://127.0.0.1:4222 \
    --nkey deploy/admin.nkey`

func (*rulesCmd) Help() string {
	return "The rules of a log only ever rise. New logs start with rules 3, those of up --access with rules 4.\n\n" +
		rulesExample
}

func (*rulesUpgradeCmd) Help() string {
	return `First bring everything that seals, stores, reads or verifies the log to this release: sealers with their
standbys, ingest, query, alerts, sinks, archivers, SDKs and verifiers. Older ones refuse what is sealed
afterwards. Rules cannot be lowered again.

` + rulesExample
}

type rulesUpgradeCmd struct {
	program.ConfigFlags
	natsconn.ConnFlags
	Data string        `help:"Data directory of a stopped log. Without it, the log is on a NATS server, and the administrator's credentials are required." type:"path" placeholder:"DIR"`
	Wait time.Duration `help:"Time to wait until a sealer has sealed the config, for a log on a NATS server." default:"30s" placeholder:"DURATION"`
}

// Run raises the rules. It fails if no sealer seals the config in time.
func (c *rulesUpgradeCmd) Run(a *app) error {
	var u migrate.Upgrade
	var err error
	if c.Data != "" {
		u, err = migrate.UpgradeRulesIn(a.ctx, c.Data)
	} else {
		u, err = migrate.UpgradeRulesAt(a.ctx, c.ConnFlags, a.logName, c.Wait)
	}
	if err != nil {
		return err
	}
	if a.json {
		err = a.print(map[string]any{"before": u.Before, "after": u.After, "sealed": u.Sealed})
	} else if u.Before == u.After {
		_, err = fmt.Fprintf(a.out, "the log is sealed by rules %d: nothing to change\n", u.Before)
	} else if u.Sealed {
		_, err = fmt.Fprintf(a.out, "rules %d follow rules %d from the next entry on\n", u.After, u.Before)
	}
	if err == nil && !u.Sealed {
		err = fmt.Errorf("the config with rules %d was published, but not sealed within %s: "+
			"is the sealer running, and of this release?", u.After, c.Wait)
	}
	return err
}
