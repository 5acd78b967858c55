package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"leadloop/odata/fault"
)

// streams are the program's standard streams.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command line args (without the program's name) until it is done
// or a signal ends it, and returns the exit status: 0, 1 for a failure, 2 for
// arguments it does not understand.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, streams{stdin, stdout, stderr})
}

// run is Main with a context that ends it.
func run(ctx context.Context, args []string, s streams) int {
	exit := -1
	parser, err := kong.New(&commands{},
		kong.Name("leadloop"),
		kong.Description("Routes leads to customers, transmits them, and takes feedback back over OData.\n\n"+
			"Every flag of a command can be given by an environment variable as well: LEADLOOP_DB for --db. "+
			"To begin with, run leadloop demo."),
		kong.DefaultEnvars("LEADLOOP"),
		kong.Vars{"version": "leadloop " + version()},
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		return report(s.err, err, 1)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 {
		return exit // --help was answered
	}
	if err != nil {
		return report(s.err, withHint(err, "run "+usage(err)+" --help"), 2)
	}
	if err := parsed.Run(); err != nil && !errors.Is(err, context.Canceled) {
		return report(s.err, err, 1)
	}
	return 0
}

// usage is the command that arguments were wrong for, as far as it was known.
func usage(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context.Selected() != nil {
		return wrong.Context.Selected().FullPath()
	}
	return "leadloop"
}

// hinted is an error with advice on what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func withHint(err error, hint string) error { return hinted{err, hint} }

// report tells what went wrong, and what may help, each on a line of its own.
func report(w io.Writer, err error, status int) int {
	fmt.Fprintf(w, "leadloop: error: %v\n", err)
	var f *fault.Error
	if errors.As(err, &f) {
		for _, d := range f.Details {
			fmt.Fprintf(w, "leadloop: hint: %s: %s\n", d.Target, d.Message)
		}
	}
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintf(w, "leadloop: hint: %s\n", h.hint)
	}
	return status
}

// logger makes the log that the flags ask for.
func (l logging) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.LogLevel)) // the flag takes nothing else
	options := &slog.HandlerOptions{Level: level}
	if l.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

type versionCommand struct{}

func (versionCommand) Run(s streams) error {
	_, err := fmt.Fprintln(s.out, "leadloop", version())
	return err
}

// version is the module's version as built, with the commit where known.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}
