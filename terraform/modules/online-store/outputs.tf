output "endpoint" {
  description = "Host of the node that takes writes."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "connection_secret_arn" {
  description = "Secret that holds Feast's connection string; its text belongs into the Kubernetes Secret that the chart names."
  value       = aws_secretsmanager_secret_version.connection.arn
}
