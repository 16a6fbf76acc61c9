# Looking at what runs: a module for wherever ffe_release and ffe_tls_endpoint were applied.
terraform {
  # Ephemeral resources.
  required_version = ">= 1.10"

  required_providers {
    ffe = {
      source = "three-rivers-tech/ffe"
    }
  }
}

variable "namespace" {
  description = "The namespace that everything is in."
  type        = string
}

variable "database_secret" {
  description = "The Secret of the environment's database: its database_secret."
  type        = string
}

# The release as it is, Helm's history of it, and the journal of its runs.
data "ffe_release" "backend" {
  namespace = var.namespace
  name      = "ffe-backend"
}

# The certificate: until when it is valid, and why it is not ready where it is not.
data "ffe_certificate" "api" {
  namespace = var.namespace
  name      = "ffe-backend-tls"
}

# For the configuration of another provider, or a write-only attribute. In no state and in no plan.
ephemeral "ffe_database_credentials" "this" {
  namespace = var.namespace
  secret    = var.database_secret
}

output "release" {
  description = "The release in a few words."
  value       = "${data.ffe_release.backend.chart} revision ${data.ffe_release.backend.revision}: ${data.ffe_release.backend.status}"
}

output "certificate_ready" {
  description = "Whether the certificate is ready."
  value       = data.ffe_certificate.api.ready
}
