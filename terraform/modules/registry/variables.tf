variable "repository_name" {
  description = "Name of the ECR repository, slashes allowed."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.repository_name))
    error_message = "repository_name must be lower case letters and digits, separated by single dots, hyphens, underscores or slashes."
  }
}

variable "kms_key_arn" {
  description = "Customer managed KMS key; null encrypts with AES256. A later change replaces the repository and loses its images."
  type        = string
  default     = null
}

variable "kept_images" {
  description = "Tagged images kept, newest first; must span every version a rollback may need."
  type        = number
  default     = 50

  validation {
    condition     = var.kept_images >= 10 && floor(var.kept_images) == var.kept_images
    error_message = "kept_images must be a whole number, at least 10: ECR does not know which image is serving."
  }
}

variable "untagged_days" {
  description = "Days an image without a tag is kept."
  type        = number
  default     = 7

  validation {
    condition     = var.untagged_days >= 1 && floor(var.untagged_days) == var.untagged_days
    error_message = "untagged_days must be a whole number of days, at least 1."
  }
}
