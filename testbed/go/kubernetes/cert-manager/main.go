// cert-manager is the controller, the webhook, the CA injector and the solver
// of HTTP-01 challenges in one program: cert-manager's own code, whose mains
// are not published as modules.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cert-manager/cert-manager/internal/webhook"
	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	webhookoptions "github.com/cert-manager/cert-manager/pkg/webhook/options"
)

func main() {
	programs := map[string]func(context.Context, []string) error{
		"controller": runController,
		"webhook":    runWebhook,
		"cainjector": runCAInjector,
		"acmesolver": runSolver,
	}
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: cert-manager controller|webhook|cainjector|acmesolver [flags]")
		os.Exit(2)
	}
	name := os.Args[1]
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	logf.InitLogs()
	ctx = logf.NewContext(ctx, klog.Background(), name)
	ctrl.SetLogger(klog.Background())
	if err := programs[name](ctx, os.Args[2:]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "cert-manager %s: %v\n", name, err)
		os.Exit(1)
	}
}

// parse takes the flags of a program. Those that the chart hands over and that
// mean nothing here (elections, verbosity) are let through.
func parse(flags *pflag.FlagSet, arguments []string) error {
	flags.ParseErrorsAllowlist.UnknownFlags = true
	return flags.Parse(arguments)
}

func runWebhook(ctx context.Context, arguments []string) error {
	configuration, err := webhookoptions.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	webhookoptions.AddConfigFlags(flags, configuration)
	if err := parse(flags, arguments); err != nil {
		return err
	}
	server, err := webhook.NewCertManagerWebhookServer(logf.FromContext(ctx), *configuration)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

func runSolver(ctx context.Context, arguments []string) error {
	answering := &solver.HTTP01Solver{}
	flags := pflag.NewFlagSet("acmesolver", pflag.ContinueOnError)
	flags.IntVar(&answering.ListenPort, "listen-port", 8089, "port to listen on")
	flags.StringVar(&answering.Domain, "domain", "", "name that is validated")
	flags.StringVar(&answering.Token, "token", "", "token of the challenge")
	flags.StringVar(&answering.Key, "key", "", "answer to the challenge")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		_ = answering.Shutdown(context.Background())
	}()
	if err := answering.Listen(logf.FromContext(ctx)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
