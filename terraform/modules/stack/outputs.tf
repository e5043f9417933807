output "helm_values" {
  description = "Values of the chart in k8s/tandem, as YAML: `terraform output -raw helm_values > values.yaml`."
  value       = yamlencode(local.helm_values)

  precondition {
    condition     = var.bundle_uri == null || startswith(coalesce(var.bundle_uri, " "), "s3://${local.bucket}/bundles/")
    error_message = "bundle_uri must lie below s3://${local.bucket}/bundles/, which is what the predictors may read."
  }
}

output "image_prefix" {
  description = "For IMAGE_PREFIX of scripts/build-images, with IMAGE_SEPARATOR=/."
  value       = module.registry.prefix
}

output "repository_urls" {
  description = "Address of each image, without a tag."
  value       = module.registry.repository_urls
}

output "bundle_uri" {
  description = "Where training publishes bundles."
  value       = "s3://${module.storage.bucket_name}/bundles"
}

output "cluster_name" {
  description = "For `aws eks update-kubeconfig --name`."
  value       = module.cluster.name
}

output "connection_secret_arn" {
  description = "Secret with Feast's connection string, for the Kubernetes Secret that helm_values names."
  value       = module.online_store.connection_secret_arn
}

output "delivery_role_arn" {
  description = "Role that the workflows of this environment take."
  value       = module.delivery.role_arn
}

output "oidc_provider_arn" {
  description = "GitHub's OIDC provider, for a second environment in the same account."
  value       = module.delivery.oidc_provider_arn
}

output "remote_write_url" {
  description = "Where the cluster's Prometheus sends its samples; null without managed_prometheus."
  value       = one(module.observability[*].remote_write_url)
}

output "capacity" {
  description = "Pods and nodes for requests_per_second."
  value       = { nodes = local.nodes, max_pods = local.max_pods, peak_pods = local.peak_pods }
}
