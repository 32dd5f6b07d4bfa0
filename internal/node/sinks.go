package node

import (
	"fmt"
	"log/slog"
	"maps"
	"os"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/settings"
	filesink "github.com/sealstream/sealstream/internal/sinks/file"
	httpsink "github.com/sealstream/sealstream/internal/sinks/http"
	natssink "github.com/sealstream/sealstream/internal/sinks/nats"
	stdoutsink "github.com/sealstream/sealstream/internal/sinks/stdout"
	"github.com/sealstream/sealstream/pkg/sink"
)

// sinkSchemes are the built-in kinds of sinks and more. One of more replaces the built-in kind of
// its name.
func sinkSchemes(more sink.Schemes, logger *slog.Logger) sink.Schemes {
	all := sink.Schemes{
		"file": filesink.Scheme(logger), "stdout": stdoutsink.Scheme(os.Stdout),
		"http": httpsink.Scheme, "https": httpsink.Scheme, "nats": natssink.Scheme(dialSink(logger)),
		"tls": natssink.Scheme(dialSink(logger)),
	}
	maps.Copy(all, more)
	return all
}

// dialSink reads how a NATS sink connects:
//
//	creds=F, nkey=F, ca=F, cert=F, key=F    as everywhere with NATS
//	allow_plain=yes    send the URL's password or token without TLS beyond the loopback
func dialSink(logger *slog.Logger) natssink.Dial {
	return func(server string, p *sink.Params) func() (*nats.Conn, error) {
		cfg := natsconn.Config{URL: server, Creds: p.Text("creds", ""), NKey: p.Text("nkey", ""), CA: p.Text("ca", ""),
			Cert: p.Text("cert", ""), Key: p.Text("key", ""), AllowPlain: p.OneOf("allow_plain", "no", "yes") == "yes"}
		return func() (*nats.Conn, error) { return cfg.Connect("sealstream sink", logger) }
	}
}

// readSinks finds what is wrong with the URLs of sinks before anything is touched.
func readSinks(urls []string, more sink.Schemes, logger *slog.Logger) ([]sink.Spec, error) {
	var list []sink.Spec
	schemes := sinkSchemes(more, logger)
	names := map[string]bool{}
	for _, u := range urls {
		s, err := schemes.Parse(u)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", settings.ErrInvalid, err)
		}
		if names[s.Name] {
			return nil, fmt.Errorf("%w: two sinks are named %q: `name=` tells them apart", settings.ErrInvalid, s.Name)
		}
		names[s.Name] = true
		list = append(list, s)
	}
	return list, nil
}
