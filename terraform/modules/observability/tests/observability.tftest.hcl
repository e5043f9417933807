mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name = "tandem-test"
}

run "a_workspace_without_rules" {
  assert {
    condition     = length(aws_prometheus_rule_group_namespace.alerts) == 0
    error_message = "Rules are made where none are given."
  }

  assert {
    condition     = endswith(output.remote_write_url, "/api/v1/remote_write") && startswith(output.remote_write_url, "https://")
    error_message = "Samples are not sent to the workspace by TLS."
  }
}

run "the_rules_are_the_given_ones_and_encrypted_with_a_key_of_the_customer" {
  command = plan

  variables {
    rules       = "groups: [{name: tandem, rules: [{alert: Down, expr: up == 0}]}]"
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = one(aws_prometheus_rule_group_namespace.alerts).data == var.rules
    error_message = "AWS evaluates other rules than the given ones."
  }

  assert {
    condition     = aws_prometheus_workspace.this.kms_key_arn == var.kms_key_arn
    error_message = "Metrics are not encrypted with the customer's key."
  }
}

run "refuses_what_is_no_rule_file" {
  command = plan

  variables {
    rules       = "alerts: []"
    name        = "T"
    log_days    = 2
    kms_key_arn = "alias/tandem"
  }

  expect_failures = [var.rules, var.name, var.log_days, var.kms_key_arn]
}
