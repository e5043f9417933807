variable "name" {
  description = "Name of the cluster and prefix of its roles."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 40 lower case letters, digits or hyphens, and start with a letter."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes; the chart needs 1.32 or later."
  type        = string
  default     = "1.33"

  validation {
    condition     = can(regex("^1\\.(3[2-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be a minor version like 1.33, and at least 1.32, which the chart asks for."
  }
}

variable "subnet_ids" {
  description = "Private subnets of the nodes and of the control plane's addresses, in two zones or more."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name two subnets or more, in different zones: EKS refuses fewer."
  }
}

variable "public_access_cidrs" {
  description = "Addresses that may reach the API server from the internet; empty keeps it inside the network."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 16, false)])
    error_message = "public_access_cidrs must be IPv4 ranges of a /16 or smaller: anything wider is the internet at large."
  }
}

variable "node_groups" {
  description = "Managed node groups by name. No autoscaler of nodes is installed: desired_size nodes run."
  type = map(object({
    instance_types = list(string)
    min_size       = number
    desired_size   = number
    max_size       = number
    disk_gib       = optional(number, 50)
    spot           = optional(bool, false)
  }))

  validation {
    condition     = length(var.node_groups) > 0
    error_message = "node_groups must have one group or more: a cluster without nodes runs nothing."
  }

  validation {
    condition = alltrue([for group in var.node_groups :
      group.min_size >= 1 && group.min_size <= group.desired_size && group.desired_size <= group.max_size
    ])
    error_message = "node_groups must have 1 <= min_size <= desired_size <= max_size: nothing would add the first node of an empty group."
  }

  validation {
    condition     = alltrue([for group in var.node_groups : group.disk_gib >= 30 && length(group.instance_types) > 0])
    error_message = "node_groups must have a disk of 30 GiB or more (the images unpack to 5 GB) and name an instance type."
  }
}

variable "access" {
  description = "Who may enter the cluster, by a name of your own: an IAM role, one of EKS' access policies, namespaces (none: all of them), and groups that RBAC inside the cluster knows."
  type = map(object({
    principal_arn = string
    policy        = string
    namespaces    = optional(list(string), [])
    groups        = optional(list(string), [])
  }))
  default = {}

  validation {
    condition     = !anytrue(flatten([for entry in var.access : [for group in entry.groups : startswith(group, "system:")]]))
    error_message = "access must not name groups of Kubernetes itself (system:...): EKS refuses them, and system:masters bypasses every rule."
  }

  validation {
    condition = alltrue([for entry in var.access :
      contains(["AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy", "AmazonEKSAdminViewPolicy"], entry.policy)
    ])
    error_message = "access must name one of EKS' policies: AmazonEKSClusterAdminPolicy, AmazonEKSAdminPolicy, AmazonEKSEditPolicy, AmazonEKSViewPolicy, AmazonEKSAdminViewPolicy."
  }
}

variable "pod_identities" {
  description = "Rights of pods, by a name of your own: namespace and service account, and what its role may do; prefixes narrow s3:ListBucket."
  type = map(object({
    namespace       = string
    service_account = string
    statements = list(object({
      actions   = list(string)
      resources = list(string)
      prefixes  = optional(list(string), [])
    }))
  }))
  default = {}

  validation {
    condition = alltrue(flatten([for pod in var.pod_identities : [for statement in pod.statements :
      [for action in statement.actions : can(regex("^[a-z0-9-]+:[A-Za-z]+$", action))]
    ]]))
    error_message = "pod_identities must name each action in full, like s3:GetObject: a wildcard grants what nobody has thought of."
  }

  validation {
    condition     = !contains(flatten([for pod in var.pod_identities : [for statement in pod.statements : statement.resources]]), "*")
    error_message = "pod_identities must name the resources by ARN, not by \"*\"."
  }
}

variable "log_days" {
  description = "Days that the control plane's logs are kept, the audit log among them."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_days)
    error_message = "log_days must be a number that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
}
