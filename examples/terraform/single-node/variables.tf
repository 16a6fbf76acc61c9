variable "kubeconfig" {
  description = "Path of the kubeconfig. Left out: what KUBE_CONFIG_PATH, KUBECONFIG or ~/.kube/config say."
  type        = string
  default     = null
}

variable "helm_binary" {
  description = "Path or name of Helm, 3.14 or newer. Left out: what FFE_HELM_BINARY says, or helm in PATH."
  type        = string
  default     = null
}

variable "environment" {
  description = "Name of the environment."
  type        = string
  default     = "demo"
}

variable "preset" {
  description = "What the environment is for: dev, staging or production. It gives every number a value."
  type        = string
  default     = "dev"
}

variable "namespace" {
  description = "The namespace. Left out: ffe-<environment>."
  type        = string
  default     = null
}

variable "quota" {
  description = "What the namespace may use at most, where it is to differ from the preset."
  type = object({
    cpu     = optional(string)
    memory  = optional(string)
    pods    = optional(number)
    storage = optional(string)
  })
  default = null
}

variable "database_image" {
  description = "Image of PostgreSQL, with the contract of the official one. Left out: the official one, or FFE_DATABASE_IMAGE."
  type        = string
  default     = null
}

variable "database_size" {
  description = "Size of the database's volume. It can grow later where the storage class allows it, never shrink."
  type        = string
  default     = "1Gi"
}

variable "chart" {
  description = "The Helm chart: a directory, an archive or an OCI reference."
  type        = string
  default     = "../../ffe-backend/chart"
}

variable "image" {
  description = "The application's image, without its tag."
  type        = string
  default     = "ffe-backend"
}

variable "image_tag" {
  description = "The tag of the application's image: what is deployed, and what migrates the database before."
  type        = string
  default     = "1.0.0"
}

variable "workers" {
  description = "Uvicorn workers in each replica."
  type        = number
  default     = 1
}

variable "chart_values" {
  description = "More values for the chart, YAML. They win over the preset's."
  type        = string
  default     = ""
}

variable "log_level" {
  description = "How much the application logs: debug, info, warning or error."
  type        = string
  default     = "info"
}

variable "host" {
  description = "The host name at which the world reaches the application. Left out: it is reached inside of the cluster only."
  type        = string
  default     = null
}

variable "ingress_class" {
  description = "The class of the ingress, such as traefik. Left out: the cluster's default class."
  type        = string
  default     = null
}

variable "acme" {
  description = "Who issues the certificate: letsencrypt, letsencrypt-staging or the URL of a directory. Left out: what the preset says, else staging."
  type = object({
    server    = optional(string)
    email     = optional(string)
    ca_bundle = optional(string)
  })
  default = {}
}

variable "dns_zone" {
  description = "The zone at Cloudflare that the host's record is made in; the token is in CLOUDFLARE_API_TOKEN. Left out: the record is made elsewhere."
  type        = string
  default     = null
}

variable "resolve_to" {
  description = "The address to look at HTTPS by, where the host does not resolve on this machine."
  type        = string
  default     = null
}

variable "trusted_roots" {
  description = "Certificates (PEM) that the application's certificate is checked against. Left out: those of this system."
  type        = string
  default     = null
}

variable "api_key" {
  description = "The key that clients of the application show. Ephemeral: it reaches the cluster and nothing else."
  type        = string
  sensitive   = true
  ephemeral   = true
}
