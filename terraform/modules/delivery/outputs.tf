output "role_arn" {
  description = "For the workflows' role-to-assume."
  value       = aws_iam_role.this.arn
}

output "oidc_provider_arn" {
  description = "For other installations in the same account."
  value       = local.provider_arn
}
