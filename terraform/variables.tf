variable "region" {
  description = "AWS region of the bucket and the registry; the one of the cluster, traffic between regions costs."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like eu-central-1."
  }
}

variable "name" {
  description = "Prefix of every resource; one installation of Tandem per name and account."
  type        = string
  default     = "tandem"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 22 lower case letters, digits or hyphens, and start with a letter."
  }
}

variable "environment" {
  description = "Stage this installation serves; part of every name, so that stages never share a bucket."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "kms_key_arn" {
  description = "Customer managed KMS key for bucket and registry; null uses the keys that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias."
  }
}

variable "noncurrent_version_days" {
  description = "Days an overwritten or deleted object can still be recovered."
  type        = number
  default     = 30
}

variable "kept_images" {
  description = "Serving images kept, newest first."
  type        = number
  default     = 50
}
