# The stack validates them. Every environment has the same ones; what differs stands in main.tf.

variable "region" {
  description = "AWS region of everything; traffic between regions costs."
  type        = string
}

variable "name" {
  description = "Prefix of every resource; one installation of Tandem per name and account."
  type        = string
  default     = "tandem"
}

variable "kms_key_arn" {
  description = "Customer managed KMS key for bucket, registry, online store and metrics; null uses the keys that AWS manages. A later change replaces registry and store."
  type        = string
  default     = null
}

variable "github_repository" {
  description = "Repository on GitHub whose workflows deliver, OWNER/NAME; its environment of this name guards the role."
  type        = string
}

variable "oidc_provider_arn" {
  description = "GitHub's OIDC provider where the account has one already; null makes it."
  type        = string
  default     = null
}

variable "administrator_arns" {
  description = "IAM roles that administer the cluster."
  type        = list(string)
  default     = []
}

variable "public_access_cidrs" {
  description = "Addresses that may reach the API server from the internet; empty keeps it inside the network."
  type        = list(string)
  default     = []
}

variable "hostnames" {
  description = "Hosts that clients ask; empty leaves the release reachable inside the cluster only."
  type        = list(string)
  default     = []
}

variable "bundle_uri" {
  description = "Bundle of the first installation, s3://BUCKET/bundles/VERSION; null trains one first."
  type        = string
  default     = null
}

variable "noncurrent_version_days" {
  description = "Days an overwritten or deleted object can still be recovered."
  type        = number
  default     = 30
}

variable "kept_images" {
  description = "Images kept in each repository, newest first."
  type        = number
  default     = 50
}
