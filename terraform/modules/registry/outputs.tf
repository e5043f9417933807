output "repository_url" {
  description = "Address to push to and to pull from, without a tag."
  value       = aws_ecr_repository.this.repository_url
}

output "repository_arn" {
  description = "For the policies of the roles that push (CI) and pull (nodes)."
  value       = aws_ecr_repository.this.arn
}
