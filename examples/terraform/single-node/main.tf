provider "ffe" {
  kubernetes = {
    config_path = var.kubeconfig
  }
  helm = {
    binary = var.helm_binary
  }
}

# Where the application lives: a namespace with its quota and its Pod Security level, settings, secrets, a database.
resource "ffe_environment" "this" {
  name      = var.environment
  preset    = var.preset
  namespace = var.namespace
  quota     = var.quota

  config = {
    LOG_LEVEL = var.log_level
  }

  secrets_wo = {
    API_KEY = var.api_key
  }

  database = {
    mode  = "bundled"
    image = var.database_image
    storage = {
      size = var.database_size
    }
  }
}

# What runs there: the schema is migrated, the chart deployed, and the result asked whether it works. If it does not,
# the release goes back to the last revision that did.
resource "ffe_release" "backend" {
  namespace = ffe_environment.this.namespace
  name      = "ffe-backend"
  chart     = var.chart
  values    = compact([ffe_environment.this.values, var.chart_values])

  set = [
    { name = "image.repository", value = var.image, type = "string" },
    { name = "image.tag", value = var.image_tag, type = "string" },
    { name = "workers", value = tostring(var.workers) },
    # A changed setting or secret replaces the pods, once.
    { name = "config_revision", value = ffe_environment.this.config_revision, type = "string" },
    { name = "secrets_revision", value = ffe_environment.this.secrets_revision, type = "string" },
  ]

  migration = {
    engine          = "alembic"
    database_secret = ffe_environment.this.database_secret
    timeout         = "5m"
  }

  verify = {
    path = "/health"
    json = {
      "/database" = "healthy"
    }
    smoke = [
      { path = "/api/v1/bot/status", bearer_wo = var.api_key },
    ]
    timeout = "2m"
  }
}

# How the world reaches it: the route, the DNS record, a certificate that renews itself, and the proof that HTTPS works.
resource "ffe_tls_endpoint" "api" {
  count = var.host == null ? 0 : 1

  namespace     = ffe_environment.this.namespace
  name          = "ffe-backend"
  hosts         = [var.host]
  backend       = local.service
  ingress_class = var.ingress_class

  issuer = {
    acme = {
      server    = coalesce(var.acme.server, ffe_environment.this.tls.acme_server, "letsencrypt-staging")
      email     = var.acme.email
      ca_bundle = var.acme.ca_bundle
      solver    = { http01 = {} }
    }
  }

  # Without a zone the record is made elsewhere, and only looked at.
  dns = var.dns_zone == null ? null : { zone = var.dns_zone }

  # The preset's header; the application's own Content-Security-Policy stays as it is. No bound for each client: where the
  # controller does not see their addresses (k3s' load balancer), it would be one for all of them together.
  security = {
    frame_options = ffe_environment.this.tls.frame_options
  }

  verify = {
    path       = "/health"
    resolve_to = var.resolve_to
    ca_bundle  = var.trusted_roots
    checks = [
      { path = "/api/v1/bot/status", bearer_wo = var.api_key },
    ]
  }
}
