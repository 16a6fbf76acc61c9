# A platform with many services: one issuer, one ACME account, and an endpoint for each service.
terraform {
  required_version = ">= 1.11"

  required_providers {
    ffe = {
      source  = "three-rivers-tech/ffe"
      version = "~> 0.1"
    }
  }
}

variable "issuer" {
  description = "Name of the ClusterIssuer."
  type        = string
  default     = "letsencrypt"
}

variable "acme" {
  description = "The ACME server: letsencrypt-staging, letsencrypt, or the URL of a directory, with the authority of its own certificate."
  type = object({
    server    = optional(string, "letsencrypt-staging")
    email     = optional(string)
    ca_bundle = optional(string)
  })
  default = {}
}

variable "ingress_class" {
  description = "The class that serves all of them."
  type        = string
  default     = "traefik"
}

variable "dns_zone" {
  description = "The zone at Cloudflare that has the hosts; CLOUDFLARE_API_TOKEN is its token. Left out: records are made elsewhere."
  type        = string
  default     = null
}

variable "services" {
  description = "What is served: by name, the host and the service behind it."
  type = map(object({
    namespace = string
    host      = string
    service   = string
    port      = optional(number, 80)
    path      = optional(string, "/")
  }))
}

variable "resolve_to" {
  description = "Where the hosts are looked at, where that is not what DNS says. For tests."
  type        = string
  default     = null
}

variable "trusted_roots" {
  description = "Authorities that the chain is checked against, PEM. Left out: those of the system."
  type        = string
  default     = null
}

provider "ffe" {}

# Made once, and referred to by all: twenty services register one account, not twenty.
resource "ffe_issuer" "letsencrypt" {
  name = var.issuer

  acme = {
    server    = var.acme.server
    email     = var.acme.email
    ca_bundle = var.acme.ca_bundle
    # For wildcards add a solver by DNS with a selector: { selector = { dns_zones = [...] }, dns01_cloudflare = { ... } }.
    solvers = [{ http01 = { ingress_class = var.ingress_class } }]
  }
}

resource "ffe_tls_endpoint" "service" {
  for_each = var.services

  namespace     = each.value.namespace
  name          = each.key
  hosts         = [each.value.host]
  backend       = { service = each.value.service, port = each.value.port }
  ingress_class = var.ingress_class
  issuer        = ffe_issuer.letsencrypt.issuer_ref

  dns = var.dns_zone == null ? null : { zone = var.dns_zone }

  verify = {
    path       = each.value.path
    resolve_to = var.resolve_to
    ca_bundle  = var.trusted_roots
  }
}

output "urls" {
  description = "Where each service is."
  value       = { for name, endpoint in ffe_tls_endpoint.service : name => endpoint.url }
}

output "account" {
  description = "The one account."
  value       = ffe_issuer.letsencrypt.acme_account_uri
}
