terraform {
  required_version = ">= 1.11" # locks the state in S3 itself, without a DynamoDB table

  # Bucket, key and region differ for every installation: see terraform/README.md.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
