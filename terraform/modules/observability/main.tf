resource "aws_prometheus_workspace" "this" {
  alias       = var.name
  kms_key_arn = var.kms_key_arn

  logging_configuration {
    log_group_arn = "${aws_cloudwatch_log_group.this.arn}:*"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  # Prometheus' service may write to groups of this prefix without a policy of ours.
  name              = "/aws/vendedlogs/${var.name}/prometheus"
  retention_in_days = var.log_days
}

# The same file that the chart's PrometheusRule carries: where nobody runs the operator, AWS evaluates it.
resource "aws_prometheus_rule_group_namespace" "alerts" {
  count = var.rules == null ? 0 : 1

  name         = var.name
  workspace_id = aws_prometheus_workspace.this.id
  data         = var.rules
}
