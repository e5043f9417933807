variable "name" {
  description = "Prefix of the role."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 40 lower case letters, digits or hyphens, and start with a letter."
  }
}

variable "github_repository" {
  description = "Repository on GitHub whose workflows deliver, OWNER/NAME."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be OWNER/NAME without a wildcard, which would admit other repositories."
  }
}

variable "github_environment" {
  description = "Environment on GitHub whose jobs may take the role; its approval guards it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.github_environment))
    error_message = "github_environment must be letters, digits, hyphens or underscores, without a wildcard."
  }
}

variable "oidc_provider_arn" {
  description = "GitHub's OIDC provider where the account has one already; null makes it."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must be arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com."
  }
}

variable "repository_arns" {
  description = "ECR repositories that images are pushed to."
  type        = list(string)

  validation {
    condition     = length(var.repository_arns) > 0 && alltrue([for arn in var.repository_arns : can(regex("^arn:aws[a-z-]*:ecr:[a-z0-9-]+:[0-9]{12}:repository/[^*]+$", arn))])
    error_message = "repository_arns must be ARNs of ECR repositories, one or more and without a wildcard."
  }
}

variable "cluster_arn" {
  description = "Cluster that releases go to; what the role may do inside stands in the cluster's access entries."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:eks:[a-z0-9-]+:[0-9]{12}:cluster/[^*]+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of one EKS cluster."
  }
}

variable "bucket_arn" {
  description = "Bucket whose bundles/ the train workflow publishes to."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[^*/]+$", var.bucket_arn))
    error_message = "bucket_arn must be the ARN of one bucket."
  }
}

variable "session_hours" {
  description = "Hours that a session of the role may last; a canary must fit into one."
  type        = number
  default     = 4

  validation {
    condition     = var.session_hours >= 1 && var.session_hours <= 12 && floor(var.session_hours) == var.session_hours
    error_message = "session_hours must be a whole number from 1 to 12."
  }
}
