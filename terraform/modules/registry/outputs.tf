output "prefix" {
  description = "Address of all images up to the slash before their names; the chart's images.prefix with images.separator \"/\"."
  value       = trimsuffix(aws_ecr_repository.this["serving"].repository_url, "/serving")
}

output "repository_urls" {
  description = "Address to push to and to pull from, without a tag, by image."
  value       = { for image, repository in aws_ecr_repository.this : image => repository.repository_url }
}

output "repository_arns" {
  description = "For the policy of the role that pushes."
  value       = [for repository in aws_ecr_repository.this : repository.arn]
}
