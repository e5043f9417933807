variable "name" {
  description = "Alias of the workspace."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 40 lower case letters, digits or hyphens, and start with a letter."
  }
}

variable "rules" {
  description = "Text of a Prometheus rule file that AWS evaluates (monitoring/alerts.yaml); null evaluates none."
  type        = string
  default     = null

  validation {
    condition     = var.rules == null || can(yamldecode(var.rules).groups)
    error_message = "rules must be YAML with a list `groups`, as Prometheus reads it."
  }
}

variable "kms_key_arn" {
  description = "Customer managed KMS key of the metrics; null uses the key that AWS manages. A later change replaces the workspace and loses its metrics."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias."
  }
}

variable "log_days" {
  description = "Days that faults of the rules are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_days)
    error_message = "log_days must be a number that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
}
