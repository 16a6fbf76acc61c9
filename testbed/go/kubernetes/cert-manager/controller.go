package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/gateways"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
)

// runController runs every control loop, with the defaults of cert-manager's
// own main where no flag says otherwise.
func runController(ctx context.Context, arguments []string) error {
	var recursiveOnly bool
	options := controller.ContextOptions{
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		IssuerOptions:      controller.IssuerOptions{ClusterIssuerAmbientCredentials: true},
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
			HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
			HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
			ACMEHTTP01SolverRunAsNonRoot:      true,
		},
		IngressShimOptions: controller.IngressShimOptions{
			DefaultIssuerKind:                 "Issuer",
			DefaultIssuerGroup:                "cert-manager.io",
			DefaultAutoCertificateAnnotations: []string{"kubernetes.io/tls-acme"},
		},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes: []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
		},
	}
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	flags.StringVar(&options.Kubeconfig, "kubeconfig", "", "kubeconfig file; the pod's own account without it")
	flags.StringVar(&options.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "where Secrets of ClusterIssuers lie")
	flags.StringVar(&options.HTTP01SolverImage, "acme-http01-solver-image", "", "image of the solver")
	flags.StringSliceVar(&options.HTTP01SolverNameservers, "acme-http01-solver-nameservers", nil, "resolvers of the check of HTTP-01")
	flags.StringSliceVar(&options.DNS01Nameservers, "dns01-recursive-nameservers", dnsutil.RecursiveNameservers, "resolvers of the check of DNS-01")
	flags.BoolVar(&recursiveOnly, "dns01-recursive-nameservers-only", false, "ask no authoritative servers")
	flags.DurationVar(&options.DNS01CheckRetryPeriod, "dns01-check-retry-period", 10*time.Second, "time between checks of DNS-01")
	flags.DurationVar(&options.CertificateRequestMinimumBackoffDuration, "certificate-request-minimum-backoff-duration", time.Hour, "wait after a first failure")
	flags.DurationVar(&options.CertificateRequestMaximumBackoffDuration, "certificate-request-maximum-backoff-duration", 32*time.Hour, "longest wait after failures")
	flags.IntVar(&options.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "challenges at a time")
	flags.BoolVar(&options.EnableGatewayAPI, "enable-gateway-api", false, "solve by way of gateways")
	flags.BoolVar(&options.EnableOwnerRef, "enable-certificate-owner-ref", false, "Secrets go with their certificates")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	options.DNS01CheckAuthoritative = !recursiveOnly

	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	// What it shares with the context of every loop: the informers.
	shared, err := factory.Build("controller")
	if err != nil {
		return err
	}
	alive := http.NewServeMux()
	alive.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	failures := make(chan error, 1+len(controller.Known()))
	go func() { failures <- http.ListenAndServe("0.0.0.0:9403", alive) }()

	var running sync.WaitGroup
	for name, construct := range controller.Known() {
		// Off in cert-manager's own main too, unless asked for.
		if strings.HasPrefix(name, "certificatesigningrequests") || strings.HasPrefix(name, "gateway") && !options.EnableGatewayAPI {
			continue
		}
		loop, err := construct(factory)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		running.Go(func() {
			// Five in cert-manager's own main; each check of DNS-01 holds one up for a minute, and tests run side by side.
			if err := loop.Run(20, ctx); err != nil {
				failures <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	if shared.GatewaySolverEnabled {
		shared.GWShared.Start(ctx.Done())
	}
	select {
	case err := <-failures:
		return err
	case <-ctx.Done():
		running.Wait()
		return nil
	}
}
