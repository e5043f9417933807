variable "prefix" {
  description = "First part of every repository's name; an image lies in PREFIX/IMAGE."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.prefix))
    error_message = "prefix must be lower case letters and digits, separated by single dots, hyphens, underscores or slashes."
  }
}

variable "images" {
  description = "Images that get a repository each: the targets that the chart runs."
  type        = set(string)
  default     = ["serving", "training", "monitoring"]

  validation {
    condition     = contains(var.images, "serving") && alltrue([for image in var.images : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", image))])
    error_message = "images must be lower case names, serving among them: the chart always runs it."
  }
}

variable "kms_key_arn" {
  description = "Customer managed KMS key; null encrypts with AES256. A later change replaces the repository and loses its images."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias."
  }
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
