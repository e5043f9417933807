output "workspace_arn" {
  description = "For the policies of what writes or queries metrics."
  value       = aws_prometheus_workspace.this.arn
}

output "remote_write_url" {
  description = "Where the cluster's Prometheus sends its samples, signed with SigV4."
  value       = "${aws_prometheus_workspace.this.prometheus_endpoint}api/v1/remote_write"
}
