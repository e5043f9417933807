provider "aws" {
  region = var.region

  default_tags {
    tags = {
      application = var.name
      environment = "prod"
      managed-by  = "terraform"
    }
  }
}

module "stack" {
  source = "../../modules/stack"

  environment            = "prod"
  cidr                   = "10.0.0.0/16"
  requests_per_second    = 1000
  highly_available       = true
  zone_count             = 3
  online_store_node_type = "cache.m7g.large"
  managed_prometheus     = true
  alert_rules            = file("${path.root}/../../../monitoring/alerts.yaml")
  log_days               = 90

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
