terraform {
  # Write-only attributes and ephemeral variables: secrets that are in no plan and in no state.
  required_version = ">= 1.11"

  required_providers {
    ffe = {
      source  = "three-rivers-tech/ffe"
      version = "~> 0.1"
    }
  }
}
