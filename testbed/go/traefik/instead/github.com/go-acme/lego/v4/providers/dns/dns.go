// Package dns knows no provider. The 190 of lego and the libraries of their
// clouds are a third of Traefik, and this one has no certificates issued.
package dns

import (
	"fmt"

	"github.com/go-acme/lego/v4/challenge"
)

// NewDNSChallengeProviderByName fails.
func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, fmt.Errorf("this Traefik was built without the DNS provider %s", name)
}
