variable "region" {
  description = "AWS region of everything; traffic between regions costs."
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
  description = "Customer managed KMS key for bucket, registry, online store and metrics; null uses the keys that AWS manages. A later change replaces registry and store."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias."
  }
}

variable "requests_per_second" {
  description = "Requests a second at the peak; pods and nodes follow from it, see docs/explanation/capacity.md."
  type        = number

  validation {
    condition     = var.requests_per_second >= 1 && var.requests_per_second <= 50000
    error_message = "requests_per_second must be 1 to 50,000: above that neither figures nor limits here were thought through."
  }
}

variable "highly_available" {
  description = "Whether the loss of a zone is survived: a NAT gateway in each, and a replica of the online store."
  type        = bool
}

variable "zone_count" {
  description = "Availability zones that are used."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3, 4], var.zone_count)
    error_message = "zone_count must be 2, 3 or 4."
  }
}

variable "cidr" {
  description = "Private addresses of the network; environments that are to be joined later need different ones."
  type        = string
  default     = "10.0.0.0/16"
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes."
  type        = string
  default     = "1.33"
}

variable "instance_types" {
  description = "Instance types of the nodes, first choice first, of 4 CPUs and 16 GiB each: that is what the number of nodes is computed for."
  type        = list(string)
  default     = ["m7i.xlarge", "m6i.xlarge", "m5.xlarge"]

  validation {
    condition     = length(var.instance_types) > 0 && alltrue([for type in var.instance_types : can(regex("^m[5-9][a-z-]*\\.xlarge$", type)) && !can(regex("^m[0-9]g", type))])
    error_message = "instance_types must be xlarge types of the m family for x86-64, like m7i.xlarge: the images are built for it."
  }
}

variable "online_store_node_type" {
  description = "Instance type of the online store, by the number of users, see docs/explanation/capacity.md."
  type        = string
  default     = "cache.t4g.small"
}

variable "public_access_cidrs" {
  description = "Addresses that may reach the API server from the internet; empty keeps it inside the network."
  type        = list(string)
  default     = []
}

variable "administrator_arns" {
  description = "IAM roles that administer the cluster."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.administrator_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/", arn))])
    error_message = "administrator_arns must be ARNs of IAM roles, arn:aws:iam::ACCOUNT:role/NAME: users have keys that do not expire."
  }
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

variable "namespace" {
  description = "Namespace that the chart is installed into."
  type        = string
  default     = "tandem"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be a name that Kubernetes takes: lower case letters, digits and hyphens, 63 at most."
  }
}

variable "release" {
  description = "Name of the Helm release; the rights of its accounts hang on it."
  type        = string
  default     = "tandem"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", var.release))
    error_message = "release must be 40 lower case letters, digits and hyphens at most: the chart cuts longer names off, and the accounts would have others."
  }
}

variable "redis_secret" {
  description = "Name of the Kubernetes Secret with the online store's connection string."
  type        = string
  default     = "tandem-redis"
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

variable "managed_prometheus" {
  description = "Whether a workspace of Amazon Managed Service for Prometheus is made."
  type        = bool
  default     = false
}

variable "alert_rules" {
  description = "Text of monitoring/alerts.yaml, for managed_prometheus to evaluate; null evaluates none."
  type        = string
  default     = null
}

variable "prometheus_account" {
  description = "Service account of the Prometheus in the cluster, which may write to the workspace."
  type = object({
    namespace       = string
    service_account = string
  })
  default = { namespace = "monitoring", service_account = "prometheus-server" }
}

variable "log_days" {
  description = "Days that logs of the control plane, of the network and of the alert rules are kept."
  type        = number
  default     = 90
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
