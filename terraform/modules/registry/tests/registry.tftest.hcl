mock_provider "aws" {
  source = "../../mocks"
}

variables {
  prefix = "tandem-test"
}

run "one_repository_an_image" {
  assert {
    condition     = { for image, repository in aws_ecr_repository.this : image => repository.name } == { serving = "tandem-test/serving", training = "tandem-test/training", monitoring = "tandem-test/monitoring" }
    error_message = "The chart's three images have other repositories than PREFIX/IMAGE."
  }

  assert {
    condition     = output.prefix == "111122223333.dkr.ecr.eu-central-1.amazonaws.com/tandem-test"
    error_message = "The prefix is not the address up to the slash before the image's name."
  }

  assert {
    condition     = toset(keys(aws_ecr_lifecycle_policy.this)) == var.images
    error_message = "A repository has no lifecycle policy and grows for ever."
  }
}

run "tags_cannot_be_moved_and_images_are_scanned_and_encrypted" {
  command = plan

  assert {
    condition = alltrue([for repository in aws_ecr_repository.this : (
      repository.image_tag_mutability == "IMMUTABLE" &&
      one(repository.image_scanning_configuration).scan_on_push &&
      one(repository.encryption_configuration).encryption_type == "AES256"
    )])
    error_message = "A repository lets tags be moved, scans nothing, or is not encrypted."
  }
}

run "encrypted_with_a_key_of_the_customer" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : one(repository.encryption_configuration).encryption_type == "KMS" && one(repository.encryption_configuration).kms_key == var.kms_key_arn])
    error_message = "A repository is not encrypted with the customer's key."
  }
}

run "images_that_a_rollback_may_need_stay" {
  command = plan

  assert {
    condition = alltrue([for policy in aws_ecr_lifecycle_policy.this :
      [for rule in jsondecode(policy.policy).rules : [rule.selection.tagStatus, rule.selection.countType, rule.selection.countNumber]] == [["untagged", "sinceImagePushed", 7], ["tagged", "imageCountMoreThan", 50]]
    ])
    error_message = "Tagged images go by another rule than their number."
  }
}

run "refuses_to_leave_serving_out" {
  command = plan

  variables {
    images = ["training"]
  }

  expect_failures = [var.images]
}

run "refuses_upper_case" {
  command = plan

  variables {
    prefix = "Tandem"
  }

  expect_failures = [var.prefix]
}

run "refuses_the_alias_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "alias/tandem"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_to_keep_too_few_images" {
  command = plan

  variables {
    kept_images = 3
  }

  expect_failures = [var.kept_images]
}

run "refuses_no_days" {
  command = plan

  variables {
    untagged_days = 0
  }

  expect_failures = [var.untagged_days]
}
