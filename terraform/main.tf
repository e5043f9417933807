provider "aws" {
  region = var.region

  default_tags {
    tags = {
      application = var.name
      environment = var.environment
      managed-by  = "terraform"
    }
  }
}

# Bucket names are global: the account makes this one unique.
data "aws_caller_identity" "current" {}

module "storage" {
  source = "./modules/storage"

  bucket_name             = "${var.name}-${var.environment}-${data.aws_caller_identity.current.account_id}"
  kms_key_arn             = var.kms_key_arn
  noncurrent_version_days = var.noncurrent_version_days
}

module "registry" {
  source = "./modules/registry"

  repository_name = "${var.name}-${var.environment}/serving"
  kms_key_arn     = var.kms_key_arn
  kept_images     = var.kept_images
}
