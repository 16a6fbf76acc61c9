locals {
  # The chart has one service.
  service = one(values(ffe_release.backend.services))
}

output "namespace" {
  description = "The namespace that everything is in."
  value       = ffe_environment.this.namespace
}

output "service" {
  description = "The application's service, and its port."
  value       = local.service
}

output "url" {
  description = "The application's address, where it has a host name."
  value       = one(ffe_tls_endpoint.api[*].url)
}

output "certificate_ends" {
  description = "Until when the certificate is valid. It is renewed before."
  value       = one(ffe_tls_endpoint.api[*].certificate_status.not_after)
}

output "checks" {
  description = "What was seen of HTTPS."
  value       = { for result in flatten(ffe_tls_endpoint.api[*].verify_results) : "${result.host} ${result.check}" => "${result.outcome}: ${result.detail}" }
}

output "url_inside" {
  description = "The application's address inside of the cluster."
  value       = "http://${local.service.service}.${ffe_environment.this.namespace}.svc:${local.service.port}"
}

output "revision" {
  description = "Helm's revision of the release."
  value       = ffe_release.backend.revision
}

output "schema_revision" {
  description = "The revision of the database's schema."
  value       = ffe_release.backend.schema_revision
}

output "last_run" {
  description = "What the last change went through, and how long each part took."
  value       = ffe_release.backend.last_run
}
