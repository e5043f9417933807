# Who may do what: accounts of Kubernetes by pod identity, people and the delivery role by access entries.
locals {
  # Reads and writes of encrypted objects need the key too, where it is a customer's.
  key_use = var.kms_key_arn == null ? [] : [{ actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [var.kms_key_arn], prefixes = [] }]

  listing = {
    actions   = ["s3:ListBucket"]
    resources = [trimsuffix(local.bundles_arn, "/bundles/*")]
    prefixes  = ["bundles/*", "features/*"]
  }

  pod_identities = merge({
    # The chart's main account: predictors, the event consumer and drift read.
    serving = {
      namespace       = var.namespace
      service_account = var.release
      statements = concat(local.key_use, [
        local.listing,
        { actions = ["s3:GetObject"], resources = [local.bundles_arn, local.features_arn], prefixes = [] },
      ])
    }
    # The account of training and materialization: adds bundles, rewrites features.
    training = {
      namespace       = var.namespace
      service_account = "${var.release}-train"
      statements = concat(local.key_use, [
        local.listing,
        { actions = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], resources = [local.bundles_arn, local.features_arn], prefixes = [] },
        { actions = ["s3:DeleteObject"], resources = [local.features_arn], prefixes = [] },
      ])
    }
    }, var.managed_prometheus ? {
    prometheus = {
      namespace       = var.prometheus_account.namespace
      service_account = var.prometheus_account.service_account
      statements      = [{ actions = ["aps:RemoteWrite"], resources = [module.observability[0].workspace_arn], prefixes = [] }]
    }
  } : {})

  access = merge(
    { for index, arn in var.administrator_arns : "administrator-${index}" => {
      principal_arn = arn
      policy        = "AmazonEKSClusterAdminPolicy"
      namespaces    = []
      groups        = []
    } },
    # EKS' policies know only the kinds of Kubernetes itself; the group is for the others, see terraform/README.md.
    { delivery = {
      principal_arn = module.delivery.role_arn
      policy        = "AmazonEKSAdminPolicy"
      namespaces    = [var.namespace]
      groups        = ["tandem-delivery"]
    } },
  )
}
