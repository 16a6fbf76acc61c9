// Package ecs finds no containers: Amazon's libraries are not built for the testbed.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/provider"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// Provider is in the configuration, and fails when it is used.
type Provider struct{}

var _ provider.Provider = (*Provider)(nil)

// Init fails.
func (*Provider) Init() error { return errors.New("this Traefik was built without ECS") }

// Provide is not called: Init failed.
func (p *Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return p.Init() }
