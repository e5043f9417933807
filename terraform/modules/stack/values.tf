# What terraform knows of the chart's values; what people decide (signing keys, rollout's users) stays in a file of theirs.
locals {
  first_bundle = var.bundle_uri == null

  helm_values = merge({
    images = { prefix = module.registry.prefix, separator = "/" }

    objectStore = { region = var.region }

    featureStore = {
      registryPath = "s3://${module.storage.bucket_name}/features/registry.db"
      redis        = { existingSecret = var.redis_secret }
    }

    replicas = { min = local.min_pods, max = local.max_pods }

    route = merge({ enabled = length(var.hostnames) > 0 }, length(var.hostnames) > 0 ? { hostnames = var.hostnames } : {})

    # Without a bundle nothing serves yet that a first one would have to be as good as.
    training = {
      enabled = true
      bundles = "s3://${module.storage.bucket_name}/bundles"
      gates   = !local.first_bundle
    }

    monitoring = { scrapeAnnotations = var.managed_prometheus }
  }, local.first_bundle ? {} : { bundle = { uri = var.bundle_uri } })
}
