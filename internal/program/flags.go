package program

import (
	"github.com/alecthomas/kong"

	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/node"
	"github.com/sealstream/sealstream/internal/settings"
)

// serviceFlags are the flags that all services have.
type serviceFlags struct {
	ConfigFlags
	natsconn.ConnFlags
	Log      string `help:"Name of the log." default:"default" env:"SEALSTREAM_LOG" placeholder:"NAME"`
	Replicas int    `help:"Replicas per stream. 0 keeps existing streams as they are and creates new ones with 1." default:"0" env:"SEALSTREAM_REPLICAS"`
	Expose   bool   `help:"Listen on addresses other than the loopback without TLS and access. Use it only in a trusted network, such as between containers." env:"SEALSTREAM_EXPOSE"`
	settings.TLSFlags
	settings.AccessFlags
	settings.MemoryFlags
	LogFlags

	Version kong.VersionFlag `help:"Print the version."`
}

func (f serviceFlags) logFlags() LogFlags { return f.LogFlags }

// keepMemory makes the program keep to its memory limit.
func (f serviceFlags) keepMemory() { f.MemoryFlags.KeepTo() }

func (f serviceFlags) config() node.ServiceConfig {
	return node.ServiceConfig{
		ConnFlags: f.ConnFlags,
		Plugins:   Plugins(nil),
		Log:       f.Log,
		Replicas:  f.Replicas,
		Expose:    f.Expose,
		TLS:       f.TLSFlags,
		Access:    f.Access,
		Logger:    f.LogFlags.Logger(standardError()),
		Version:   Version(),
	}
}
