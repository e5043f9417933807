# One installation: everything that the chart needs of AWS, and nothing that runs inside the cluster.
locals {
  prefix       = "${var.name}-${var.environment}"
  bucket       = "${local.prefix}-${data.aws_caller_identity.current.account_id}"
  bundles_arn  = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket}/bundles/*"
  features_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket}/features/*"
}

# Bucket names are global: the account makes this one unique.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_availability_zones" "available" {
  state = "available"

  # Local zones have neither NAT gateways nor EKS control planes.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  lifecycle {
    postcondition {
      condition     = length(self.names) >= var.zone_count
      error_message = "${var.region} has ${length(self.names)} availability zones and zone_count asks for ${var.zone_count}."
    }
  }
}

module "network" {
  source = "../network"

  name          = local.prefix
  region        = var.region
  cidr          = var.cidr
  zones         = slice(data.aws_availability_zones.available.names, 0, var.zone_count)
  nat_per_zone  = var.highly_available
  flow_log_days = var.log_days
}

module "storage" {
  source = "../storage"

  bucket_name             = local.bucket
  kms_key_arn             = var.kms_key_arn
  noncurrent_version_days = var.noncurrent_version_days
}

module "registry" {
  source = "../registry"

  prefix      = local.prefix
  kms_key_arn = var.kms_key_arn
  kept_images = var.kept_images
}

module "cluster" {
  source = "../cluster"

  name                = local.prefix
  kubernetes_version  = var.kubernetes_version
  subnet_ids          = module.network.private_subnet_ids
  public_access_cidrs = var.public_access_cidrs
  node_groups         = local.node_groups
  access              = local.access
  pod_identities      = local.pod_identities
  log_days            = var.log_days
}

module "online_store" {
  source = "../online-store"

  name                      = local.prefix
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.private_subnet_ids
  client_security_group_ids = { cluster = module.cluster.security_group_id }
  node_type                 = var.online_store_node_type
  replicas                  = var.highly_available ? 1 : 0
  kms_key_arn               = var.kms_key_arn
}

module "delivery" {
  source = "../delivery"

  name               = local.prefix
  github_repository  = var.github_repository
  github_environment = var.environment
  oidc_provider_arn  = var.oidc_provider_arn
  repository_arns    = module.registry.repository_arns
  cluster_arn        = module.cluster.arn
  bucket_arn         = module.storage.bucket_arn
}

module "observability" {
  source = "../observability"
  count  = var.managed_prometheus ? 1 : 0

  name        = local.prefix
  rules       = var.alert_rules
  kms_key_arn = var.kms_key_arn
  log_days    = var.log_days
}
