output "bundle_uri" {
  description = "Where training publishes bundles; append the version for the chart's bundle.storageUri."
  value       = "s3://${module.storage.bucket_name}/bundles"
}

output "registry_path" {
  description = "Feast registry file; the chart's featureStore.registryPath."
  value       = "s3://${module.storage.bucket_name}/features/registry.db"
}

output "bucket_arn" {
  description = "For the policies of the roles that write (training) and read (serving)."
  value       = module.storage.bucket_arn
}

output "image_repository" {
  description = "Where CI pushes the serving image; the chart's image.repository."
  value       = module.registry.repository_url
}
