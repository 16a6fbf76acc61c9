module ffe-testbed/crds

go 1.26.0

// Of these only the definitions of resources are taken, and nothing is compiled.
require (
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.4.0
)
