terraform {
  # Functions of providers.
  required_version = ">= 1.8"

  required_providers {
    ffe = {
      source = "three-rivers-tech/ffe"
    }
  }
}

# What a preset decides. Needs no cluster.
output "replicas_in_production" {
  value = provider::ffe::preset("production").replicas
}

# Values of two documents, merged as Helm merges them.
output "merged" {
  value = yamldecode(provider::ffe::merge_values(["replicaCount: 1\nimage: {tag: a}", "image: {tag: b}"]))
}
