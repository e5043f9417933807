mock_provider "aws" {
  source = "../../mocks"
}

variables {
  region              = "eu-central-1"
  environment         = "dev"
  github_repository   = "example/shop"
  requests_per_second = 100
  highly_available    = false
}

run "predictors_read_and_training_writes" {
  assert {
    condition     = flatten([for statement in local.pod_identities.serving.statements : statement.actions]) == ["s3:ListBucket", "s3:GetObject"]
    error_message = "Predictors may do more than list and read."
  }

  assert {
    condition = alltrue([for statement in local.pod_identities.training.statements :
      !contains(statement.actions, "s3:DeleteObject") || statement.resources == ["arn:aws:s3:::tandem-dev-111122223333/features/*"]
    ])
    error_message = "Training may delete bundles."
  }

  assert {
    condition     = local.pod_identities.serving.service_account == "tandem" && local.pod_identities.training.service_account == "tandem-train"
    error_message = "The accounts are others than the chart's."
  }

  assert {
    condition     = local.access.delivery.namespaces == ["tandem"]
    error_message = "The delivery role reaches other namespaces than the release's."
  }
}

run "the_outputs_are_the_charts_values" {
  variables {
    bundle_uri = "s3://tandem-dev-111122223333/bundles/3f4a0503dde1"
    hostnames  = ["shop.example.com"]
  }

  assert {
    condition = yamldecode(output.helm_values) == {
      images       = { prefix = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/tandem-test", separator = "/" }
      objectStore  = { region = "eu-central-1" }
      featureStore = { registryPath = "s3://tandem-dev-111122223333/features/registry.db", redis = { existingSecret = "tandem-redis" } }
      replicas     = { min = 2, max = 2 }
      route        = { enabled = true, hostnames = ["shop.example.com"] }
      training     = { enabled = true, bundles = "s3://tandem-dev-111122223333/bundles", gates = true }
      monitoring   = { scrapeAnnotations = false }
      bundle       = { uri = "s3://tandem-dev-111122223333/bundles/3f4a0503dde1" }
    }
    error_message = "The chart gets other values than what was made."
  }
}

run "a_bundle_that_the_predictors_may_not_read_is_refused" {
  command = plan

  variables {
    bundle_uri = "s3://elsewhere/bundles/3f4a0503dde1"
  }

  expect_failures = [output.helm_values]
}

# 1,000 / 358 is 3 pods, with the other slot's 2 they need 2 nodes of 3, and one is for the rest.
run "a_thousand_requests_a_second" {
  command = plan

  variables {
    requests_per_second = 1000
  }

  assert {
    condition     = local.max_pods == 3 && local.nodes == 3
    error_message = "1,000 requests a second do not get 3 pods and 3 nodes."
  }
}

# 10,000 / 358 is 28 pods, with the other slot's 2 they need 10 nodes of 3, and one is for the rest.
run "ten_thousand_requests_a_second" {
  command = plan

  variables {
    requests_per_second = 10000
  }

  assert {
    condition     = local.max_pods == 28 && local.nodes == 11
    error_message = "10,000 requests a second do not get 28 pods and 11 nodes."
  }
}

run "a_zone_may_be_lost_and_metrics_are_kept" {
  variables {
    highly_available   = true
    managed_prometheus = true
    kms_key_arn        = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = local.pod_identities.prometheus.statements == [{ actions = ["aps:RemoteWrite"], resources = [module.observability[0].workspace_arn], prefixes = [] }]
    error_message = "The cluster's Prometheus may do something else than write to the workspace."
  }

  assert {
    condition     = local.pod_identities.serving.statements[0].actions == ["kms:Decrypt", "kms:GenerateDataKey"]
    error_message = "Predictors cannot read what is encrypted with the customer's key."
  }

  assert {
    condition     = output.remote_write_url != null
    error_message = "Nobody knows where samples go."
  }
}

run "more_zones_than_the_region_has_are_refused" {
  command = plan

  variables {
    zone_count = 4
  }

  expect_failures = [data.aws_availability_zones.available]
}

run "refuses_what_cannot_be" {
  command = plan

  variables {
    region              = "Frankfurt"
    name                = "T"
    environment         = "test"
    kms_key_arn         = "alias/tandem"
    requests_per_second = 0
    zone_count          = 1
    administrator_arns  = ["arn:aws:iam::111122223333:user/root"]
    instance_types      = ["m7g.xlarge"]
    namespace           = "Tandem"
    release             = "a-name-of-more-than-forty-letters-and-hyphens"
  }

  expect_failures = [
    var.region, var.name, var.environment, var.kms_key_arn, var.requests_per_second, var.zone_count, var.administrator_arns,
    var.instance_types, var.namespace, var.release,
  ]
}
