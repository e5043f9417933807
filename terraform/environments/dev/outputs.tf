output "helm_values" {
  description = "Values of the chart in k8s/tandem, as YAML: `terraform output -raw helm_values > values.yaml`."
  value       = module.stack.helm_values
}

output "image_prefix" {
  description = "For IMAGE_PREFIX of scripts/build-images, with IMAGE_SEPARATOR=/."
  value       = module.stack.image_prefix
}

output "repository_urls" {
  description = "Address of each image, without a tag."
  value       = module.stack.repository_urls
}

output "bundle_uri" {
  description = "Where training publishes bundles."
  value       = module.stack.bundle_uri
}

output "cluster_name" {
  description = "For `aws eks update-kubeconfig --name`."
  value       = module.stack.cluster_name
}

output "connection_secret_arn" {
  description = "Secret with Feast's connection string, for the Kubernetes Secret that helm_values names."
  value       = module.stack.connection_secret_arn
}

output "delivery_role_arn" {
  description = "Role that the workflows of this environment take."
  value       = module.stack.delivery_role_arn
}

output "oidc_provider_arn" {
  description = "GitHub's OIDC provider, for a second environment in the same account."
  value       = module.stack.oidc_provider_arn
}

output "remote_write_url" {
  description = "Where the cluster's Prometheus sends its samples; null without managed_prometheus."
  value       = module.stack.remote_write_url
}

output "capacity" {
  description = "Pods and nodes for requests_per_second."
  value       = module.stack.capacity
}
