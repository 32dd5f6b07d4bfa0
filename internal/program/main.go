package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/settings"
)

// service is a program of its own: its flags, and Serve, which runs until ctx is done.
type service interface {
	Serve(context.Context) error
	logFlags() LogFlags
	keepMemory()
}

// run parses the command line into a service and runs it. It returns the exit status: 0 after a
// signal, 1 if the service failed, 2 for wrong use.
func run(name, description string, s service) int {
	exit := -1
	parser, err := kong.New(
		s,
		kong.Name(name),
		kong.Description(description),
		kong.Vars{"version": Version()},
		kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		panic(err) // the flags are wrong
	}
	ConfigVariables(parser.Model.Flags)
	file, err := ConfigFile(name, os.Args[1:])
	if err != nil {
		return ended(name, err, s.logFlags())
	}
	if file != nil {
		if err := kong.Resolvers(file).Apply(parser); err != nil {
			panic(err)
		}
	}
	_, err = parser.Parse(os.Args[1:])
	if exit >= 0 {
		return exit
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v (see --help)\n", name, err)
		return 2
	}
	if WantsConfig(parser.Model.Flags) {
		return ended(name, PrintConfig(os.Stdout, parser.Model.Flags), s.logFlags())
	}
	s.keepMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, end := AsService(ctx)
	defer end()
	return ended(name, s.Serve(ctx), s.logFlags())
}

// WantsConfig says whether --print-config was given.
func WantsConfig(flags []*kong.Flag) bool {
	i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == "print-config" })
	return i >= 0 && flags[i].Target.Bool()
}

// ended tells of an error, once, and gives the exit status.
func ended(name string, err error, flags LogFlags) (status int) {
	defer standardError().Flush()
	switch status = 1; {
	case err == nil:
		return 0
	case errors.Is(err, httpapi.ErrPortBusy),
		errors.Is(err, httpapi.ErrNotLoopback),
		errors.Is(err, datadir.ErrKeys),
		errors.Is(err, settings.ErrInvalid):
		status = 2
	}
	if flags.JSON() {
		flags.Logger(standardError()).Error(name+" ends", "cause", err)
	} else {
		fmt.Fprintf(standardError(), "%s: %v\n", name, err)
	}
	return status
}
