mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name               = "tandem-test"
  github_repository  = "example/shop"
  github_environment = "prod"
  repository_arns    = ["arn:aws:ecr:eu-central-1:111122223333:repository/tandem-test/serving"]
  cluster_arn        = "arn:aws:eks:eu-central-1:111122223333:cluster/tandem-test"
  bucket_arn         = "arn:aws:s3:::tandem-test"
}

run "only_jobs_of_the_environment_take_the_role" {
  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.github[0].arn }
      Condition = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:example/shop:environment:prod"
      } }
    }]
    error_message = "Another repository, branch or environment could take the role."
  }
}

run "nothing_but_signing_in_is_for_all_resources" {
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Action
    if contains(flatten([statement.Resource]), "*")] == [["ecr:GetAuthorizationToken"]]
    error_message = "A right is bound to no resource."
  }

  assert {
    condition     = alltrue(flatten([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : [for action in statement.Action : !strcontains(action, "*")]]))
    error_message = "A right is granted by wildcard."
  }

  assert {
    condition = alltrue(flatten([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      [for action in statement.Action : !can(regex(":(Delete|Create|Attach|PassRole|PutRolePolicy|PutLifecycle|PutBucket)", action))]
    ]))
    error_message = "The role may delete, or widen its own rights."
  }
}

run "the_provider_of_the_account_is_used_where_there_is_one" {
  command = plan

  variables {
    oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && one(jsondecode(aws_iam_role.this.assume_role_policy).Statement).Principal.Federated == var.oidc_provider_arn
    error_message = "A second provider is made, which IAM refuses."
  }
}

run "refuses_repositories_of_another_account" {
  command = plan

  variables {
    repository_arns = ["arn:aws:ecr:eu-central-1:444455556666:repository/tandem-test/serving"]
  }

  expect_failures = [aws_iam_role_policy.this]
}

run "refuses_wildcards_and_whatever_is_no_arn" {
  command = plan

  variables {
    name               = "T"
    github_repository  = "example/*"
    github_environment = "*"
    repository_arns    = []
    bucket_arn         = "arn:aws:s3:::*"
    session_hours      = 13
    oidc_provider_arn  = "arn:aws:iam::111122223333:oidc-provider/example.com"
  }

  expect_failures = [
    var.name, var.github_repository, var.github_environment, var.repository_arns, var.bucket_arn, var.session_hours, var.oidc_provider_arn,
  ]
}

run "refuses_all_clusters" {
  command = plan

  variables {
    cluster_arn = "arn:aws:eks:eu-central-1:111122223333:cluster/*"
  }

  expect_failures = [var.cluster_arn]
}
