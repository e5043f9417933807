mock_provider "aws" {
  source = "../../mocks"
}

variables {
  bucket_name = "tandem-test-111122223333"
}

run "nothing_is_public" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "The bucket can be made public."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    error_message = "Objects can have access lists of their own."
  }
}

run "plain_http_is_refused_for_bucket_and_objects" {
  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement == [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Action    = "s3:*"
      Principal = "*"
      Resource  = ["arn:aws:s3:::tandem-test-111122223333", "arn:aws:s3:::tandem-test-111122223333/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "The policy is another than the refusal of plain HTTP."
  }
}

run "encrypted_by_default" {
  command = plan

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Objects are not encrypted with the key of S3."
  }
}

run "encrypted_with_a_key_of_the_customer" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition = alltrue([
      one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms",
      one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn,
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled,
    ])
    error_message = "Objects are not encrypted with the customer's key."
  }
}

run "overwritten_objects_can_be_recovered" {
  command = plan

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "The bucket keeps no versions."
  }

  assert {
    condition = alltrue(flatten([for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      [for expiration in rule.expiration : coalesce(expiration.days, 0) == 0]
    ]))
    error_message = "A lifecycle rule deletes current objects, and bundles with them."
  }
}

run "refuses_dots_in_the_name" {
  command = plan

  variables {
    bucket_name = "tandem.test"
  }

  expect_failures = [var.bucket_name]
}

run "refuses_the_alias_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "alias/tandem"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_half_days" {
  command = plan

  variables {
    noncurrent_version_days = 0.5
  }

  expect_failures = [var.noncurrent_version_days]
}
