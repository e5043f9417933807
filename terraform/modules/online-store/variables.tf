variable "name" {
  description = "Name of the replication group and prefix of its secrets."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name)) && !can(regex("--", var.name))
    error_message = "name must have 3 to 40 lower case letters, digits or single hyphens, and start with a letter: ElastiCache takes no others."
  }
}

variable "vpc_id" {
  description = "Network of the store."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, in two zones or more where there are replicas."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "subnet_ids must name a subnet."
  }
}

variable "client_security_group_ids" {
  description = "Security groups that may connect, by a name of your own; the cluster's is one."
  type        = map(string)

  validation {
    condition     = length(var.client_security_group_ids) > 0
    error_message = "client_security_group_ids must name a group: a store that nobody reaches serves nobody."
  }
}

variable "node_type" {
  description = "Instance type; a user takes 216 bytes at 8 features, see docs/explanation/capacity.md."
  type        = string
  default     = "cache.t4g.small"

  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[0-9a-z]+$", var.node_type))
    error_message = "node_type must look like cache.m7g.large."
  }
}

variable "replicas" {
  description = "Copies in other zones, one of which takes over when the first node is lost; 0 is for trials."
  type        = number
  default     = 1

  validation {
    condition     = var.replicas >= 0 && var.replicas <= 5 && floor(var.replicas) == var.replicas
    error_message = "replicas must be a whole number from 0 to 5."
  }

  validation {
    condition     = var.replicas == 0 || length(var.subnet_ids) >= 2
    error_message = "replicas must be 0 where subnet_ids names one subnet: a copy in the same zone is lost together with the first."
  }
}

variable "snapshot_days" {
  description = "Days that the daily snapshot is kept."
  type        = number
  default     = 7

  validation {
    condition     = var.snapshot_days >= 0 && var.snapshot_days <= 35 && floor(var.snapshot_days) == var.snapshot_days
    error_message = "snapshot_days must be a whole number of days from 0 (none is made) to 35."
  }
}

variable "kms_key_arn" {
  description = "Customer managed KMS key of store and secrets; null uses the keys that AWS manages. A later change replaces the store."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias."
  }
}

variable "secret_recovery_days" {
  description = "Days that a deleted secret can still be recovered; 0 deletes at once, and the name is free again."
  type        = number
  default     = 7

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days must be 0 or 7 to 30, which Secrets Manager asks for."
  }
}
