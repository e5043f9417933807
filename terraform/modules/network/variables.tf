variable "name" {
  description = "Prefix of every resource."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must have 3 to 40 lower case letters, digits or hyphens, and start with a letter."
  }
}

variable "region" {
  description = "AWS region, for the name of the S3 endpoint."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like eu-central-1."
  }
}

variable "cidr" {
  description = "Addresses of the network, a private range of /16 to /20; each subnet takes a sixteenth."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.cidr)) && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.cidr))
    error_message = "cidr must be an IPv4 range of RFC 1918, like 10.0.0.0/16: other addresses belong to somebody on the internet."
  }

  validation {
    condition     = can(regex("/(1[6-9]|20)$", var.cidr))
    error_message = "cidr must be a /16 to a /20: AWS allows nothing wider, and every pod takes an address of its subnet."
  }
}

variable "zones" {
  description = "Availability zones, a private and a public subnet in each."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 4 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones must name 2 to 4 different availability zones: EKS asks for two, and the ranges are cut for four."
  }
}

variable "nat_per_zone" {
  description = "Whether each zone has a NAT gateway of its own; with one for all, the loss of its zone cuts the others off."
  type        = bool
  default     = true
}

variable "flow_log_days" {
  description = "Days that records of refused connections are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.flow_log_days)
    error_message = "flow_log_days must be a number that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
}
