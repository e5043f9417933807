provider "aws" {
  region = var.region

  default_tags {
    tags = {
      application = var.name
      environment = "dev"
      managed-by  = "terraform"
    }
  }
}

module "stack" {
  source = "../../modules/stack"

  environment            = "dev"
  cidr                   = "10.1.0.0/16"
  requests_per_second    = 100
  highly_available       = false
  zone_count             = 2
  online_store_node_type = "cache.t4g.small"
  managed_prometheus     = false
  alert_rules            = null
  log_days               = 7

  name                    = var.name
  region                  = var.region
  kms_key_arn             = var.kms_key_arn
  github_repository       = var.github_repository
  oidc_provider_arn       = var.oidc_provider_arn
  administrator_arns      = var.administrator_arns
  public_access_cidrs     = var.public_access_cidrs
  hostnames               = var.hostnames
  bundle_uri              = var.bundle_uri
  noncurrent_version_days = var.noncurrent_version_days
  kept_images             = var.kept_images
}

# Version 0.1 had bucket and registry alone, in terraform/ itself: its state is taken over as it is.
moved {
  from = module.storage
  to   = module.stack.module.storage
}

moved {
  from = module.registry
  to   = module.stack.module.registry
}
