package cluster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/settings"
)

// Config is what a NATS cluster for one log is told, and who may do what there.
type Config struct {
	Out      string         // folder that the files are written to; made if there is none
	Log      string         // "": default
	Host     string         // first part of the origin of keys that are made now; "": sealstream.local
	Nodes    []string       // host names of the servers, as they see each other; fewer than two: one server alone
	Store    string         // folder of JetStream on each; "": /data
	Listen   string         // where clients connect; "": 0.0.0.0:4222
	Monitor  string         // where monitoring is; "": 127.0.0.1:8222
	MaxStore settings.Bytes // what JetStream may take on a disk; 0: its own choice, three quarters of what is free
	Agents   []string       // DIDs of agents that publish over NATS
	AgentMax int            // connections that an agent may have; 0: 256
	// TLS makes clients and routes use TLS, with certificates of a private authority that is made
	// once. A certificate that expires within a month is issued again.
	TLS       bool
	TLSFolder string // folder of nats.pem, nats.key and ca.pem on each server; "": Out
}

// ports that the servers of a cluster meet on.
const routePort = "6222"

// WriteConfig writes, for nats-server,
//
//	nats.conf    the settings, the same for every node, which SERVER_NAME names. It includes the two below
//	users.conf   accounts, users and permissions (see Roles); of the users' nkeys only the public parts
//	routes.conf  the routes with their password (0600); for one server alone it is empty
//	nats.pem, nats.key, ca.pem   with TLS: the servers' certificate, its key (0600), and its authority
//
// and beside them what each program is given, and no other (0600):
//
//	ROLE.nkey              seeds of admin, ingest, sealer, query, alert, archiver, sink: --nkey of that
//	                       program
//	agents/TOKEN.nkey      seed of one agent; its inboxes begin with _INBOX_TOKEN
//	ca.pem                 with TLS: what verifies the servers, --tlsca of every program
//	ca.key                 with TLS: the authority's key, for nobody but the next call
//	keys/log.key, log.secret, log.pub   as keygen makes them: the first two are the sealers' alone
//
// What is there is kept: a second call adds agents and writes the three configurations anew, and
// running servers take them by a reload.
func WriteConfig(cfg Config) error {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&cfg.Log, "default"}, {&cfg.Host, "sealstream.local"}, {&cfg.Store, "/data"}, {&cfg.Listen, "0.0.0.0:4222"},
		{&cfg.Monitor, "127.0.0.1:8222"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if err := settings.CheckNames(cfg.Host, cfg.Log); err != nil {
		return err
	}
	for _, n := range cfg.Nodes {
		if n == "" || strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			return fmt.Errorf("%w: node %q is no host name", settings.ErrInvalid, n)
		}
	}
	keys := filepath.Join(cfg.Out, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(keys, datadir.FileKey)); errors.Is(err, fs.ErrNotExist) {
		if _, err := datadir.GenerateKeys(keys, cfg.Host, cfg.Log); err != nil {
			return err
		}
	}
	if cfg.TLS {
		if err := cfg.certificates(time.Now()); err != nil {
			return err
		}
	}
	users, err := cfg.users()
	if err != nil {
		return err
	}
	routes, err := cfg.routes()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{{"users.conf", users, 0o644}, {"routes.conf", routes, 0o600}, {"nats.conf", cfg.settings(), 0o644}} {
		if err := datadir.WriteFile(filepath.Join(cfg.Out, f.name), []byte(f.text), f.mode); err != nil {
			return err
		}
	}
	if cfg.TLS && cfg.TLSFolder != "" {
		return nil // the server's files are not here, and a check would read them
	}
	return natsd.CheckConfig(filepath.Join(cfg.Out, "nats.conf"))
}

// settings is nats.conf. There is no MQTT, websocket, leaf node or gateway, and nobody without
// credentials.
func (cfg Config) settings() string {
	limit := ""
	if cfg.MaxStore > 0 {
		limit = fmt.Sprintf("\n  max_file_store: %d", cfg.MaxStore)
	}
	return fmt.Sprintf(`# NATS for the log %q. Each node is started with SERVER_NAME set to a name of its own.
server_name: $SERVER_NAME
listen: %q
http: %q
max_payload: 1MB
max_control_line: 8KB
ping_interval: "5s"
ping_max: 2
write_deadline: "10s"
lame_duck_duration: "30s"
lame_duck_grace_period: "5s"
jetstream {
  store_dir: %q
  sync_interval: always # an acknowledgement is on disk%s
}
%sinclude users.conf
include routes.conf
`, cfg.Log, cfg.Listen, cfg.Monitor, cfg.Store, limit, cfg.clientTLS())
}

// routes is routes.conf; its password is made once.
func (cfg Config) routes() (string, error) {
	if len(cfg.Nodes) < 2 {
		return "", nil
	}
	password := rand.Text()
	old, err := os.ReadFile(filepath.Join(cfg.Out, "routes.conf"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if _, after, ok := strings.Cut(string(old), `password: "`); ok {
		password, _, _ = strings.Cut(after, `"`)
	}
	var list []string
	for _, n := range cfg.Nodes {
		list = append(list, fmt.Sprintf("%q", "nats://route:"+password+"@"+n+":"+routePort))
	}
	return fmt.Sprintf(
		"cluster {\n  name: sealstream\n  listen: \"0.0.0.0:%s\"\n  authorization { user: route, password: %q, timeout: "+
			"5 }\n  routes: [%s]\n%s}\n",
		routePort,
		password,
		strings.Join(list, ", "),
		cfg.routeTLS(),
	), nil
}

// userKey reads the seed of a NATS user, or makes it, and gives the public key.
func userKey(path string) (string, error) {
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		user, err := nkeys.CreateUser()
		if err != nil {
			return "", err
		}
		if seed, err = user.Seed(); err != nil {
			return "", err
		}
		if err := datadir.WriteFile(path, append(seed, '\n'), 0o600); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(string(seed))))
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", datadir.ErrKeys, path, err)
	}
	return pair.PublicKey()
}
