package natsd

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/nats-io/nats-server/v2/server"
)

// CheckConfig checks a configuration file of a server without starting one. The file may use
// $SERVER_NAME.
func CheckConfig(path string) error {
	if _, ok := os.LookupEnv("SERVER_NAME"); !ok {
		os.Setenv("SERVER_NAME", "check")
		defer os.Unsetenv("SERVER_NAME")
	}
	opts := &server.Options{CheckConfig: true}
	if err := opts.ProcessConfigFile(path); err != nil {
		return fmt.Errorf("NATS configuration %s: %w", path, err)
	}
	return nil
}

// StartFile starts a server with a configuration file. Its users must authenticate with their own
// credentials; Connect does not work.
func StartFile(ctx context.Context, path string, log *slog.Logger) (*Server, error) {
	opts, err := server.ProcessConfigFile(path)
	if err != nil {
		return nil, fmt.Errorf("NATS configuration %s: %w", path, err)
	}
	opts.NoSigs = true
	s := &Server{cfg: Config{StoreDir: opts.StoreDir, Logger: log}}
	if log == nil {
		s.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := s.run(ctx, opts); err != nil {
		return nil, err
	}
	return s, nil
}
