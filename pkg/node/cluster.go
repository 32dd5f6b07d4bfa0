package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"
)

// ClusterConfig is a log whose services and NATS nodes run apart, as docker-compose.yml has them.
type ClusterConfig struct {
	Dir   string   // folder that gets one folder a role, which may be volumes of their own
	Host  string   // first part of the log's origin
	Log   string   // name of the log
	Nodes []string // host names of the NATS nodes
}

// The files of a role's folder beside log.key, log.secret and log.pub.
const (
	fileNKey     = "nats.nk"
	fileNATSConf = "nats.conf"
	roleNATS     = "nats"
	roleSealer   = "sealer"
)

// clusterRoles have a NATS user each.
var clusterRoles = []string{"admin", "ingest", roleSealer, "query", "alert", "archiver"}

// InitCluster makes what the containers of a new cluster need: the log's keys, a NATS user for each role with its seed in that role's folder
// alone, and the configuration of the NATS nodes, which holds no user's secret. It says false, and changes nothing, where all is made; what a
// crash left half done, the next call completes with the same keys.
func InitCluster(cfg ClusterConfig) (made bool, err error) {
	if err := checkNames(cfg.Host, cfg.Log); err != nil {
		return false, err
	}
	if len(cfg.Nodes) == 0 {
		return false, fmt.Errorf("%w: no NATS node is named", ErrWrong)
	}
	conf := filepath.Join(cfg.Dir, roleNATS, fileNATSConf)
	if _, err := os.Stat(conf); err == nil {
		return false, nil
	}
	public, err := cfg.logKeys()
	if err != nil {
		return false, err
	}
	users := make([]string, len(clusterRoles))
	for i, role := range clusterRoles {
		if users[i], err = cfg.user(role, public); err != nil {
			return false, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(conf), 0o700); err != nil {
		return false, err
	}
	// It comes last: where it stands, all else does.
	return true, writeFile(conf, cfg.natsConf(users, rand.Text()), 0o600)
}

// logKeys makes the log's keys in the sealer's folder, or reads those that a call before this one made.
func (cfg ClusterConfig) logKeys() (public string, err error) {
	dir := filepath.Join(cfg.Dir, roleSealer)
	k, err := GenerateKeys(dir, cfg.Host, cfg.Log)
	if errors.Is(err, ErrKeys) {
		k, err = LoadKeys(filepath.Join(dir, fileKey), filepath.Join(dir, fileSecret))
	}
	if err != nil {
		return "", err
	}
	return strings.Join(k.All(), "\n") + "\n", nil
}

// user makes a role's NATS user, if there is none, and gives the role the log's public key. It returns the user's public key.
func (cfg ClusterConfig) user(role, public string) (string, error) {
	dir := filepath.Join(cfg.Dir, role)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := writeFile(filepath.Join(dir, filePublic), []byte(public), 0o644); err != nil {
		return "", err
	}
	file := filepath.Join(dir, fileNKey)
	seed, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		pair, err := nkeys.CreateUser()
		if err != nil {
			return "", err
		}
		if seed, err = pair.Seed(); err != nil {
			return "", err
		}
		if err := writeFile(file, seed, 0o600); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrKeys, file, err)
	}
	return pair.PublicKey()
}

// natsConf is the configuration of every node; only its name differs, which is in its environment. Routes have a password: they are between nodes
// alone, on a network of their own. Nothing but clients, routes and, on the inner network, monitoring listens.
func (cfg ClusterConfig) natsConf(users []string, password string) []byte {
	routes := make([]string, len(cfg.Nodes))
	for i, node := range slices.Sorted(slices.Values(cfg.Nodes)) {
		routes[i] = fmt.Sprintf("%q", "nats://route:"+password+"@"+node+":6222")
	}
	list := make([]string, len(users))
	for i, user := range users {
		list[i] = fmt.Sprintf("      { nkey: %s } # %s", user, clusterRoles[i])
	}
	return fmt.Appendf(nil, `# Made by sealstream: NATS nodes of the log %q.
server_name: $NATS_NAME
listen: "0.0.0.0:4222"
http: "0.0.0.0:8222" # monitoring: for the inner network alone
max_payload: 1MB
ping_interval: "5s" # a client or node that is paused is let go within seconds
ping_max: 2
write_deadline: "5s"
jetstream {
  store_dir: "/data"
  sync_interval: always # an acknowledgement is an fsync on a quorum
  max_memory_store: 64MB
  max_file_store: 100GB
}
cluster {
  name: sealstream
  listen: "0.0.0.0:6222"
  authorization { user: route, password: %q, timeout: 5 }
  routes: [%s]
}
accounts {
  LOG {
    jetstream: enabled
    users: [
%s
    ]
  }
  SYS {}
}
system_account: SYS
`, cfg.Log, password, strings.Join(routes, ", "), strings.Join(list, "\n"))
}
