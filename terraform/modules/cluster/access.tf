# People and pipelines: an entry says who, a policy association says what and where.
resource "aws_eks_access_entry" "this" {
  for_each = var.access

  cluster_name      = aws_eks_cluster.this.name
  principal_arn     = each.value.principal_arn
  kubernetes_groups = each.value.groups
}

resource "aws_eks_access_policy_association" "this" {
  for_each = var.access

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.this[each.key].principal_arn
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/${each.value.policy}"

  access_scope {
    type       = length(each.value.namespaces) > 0 ? "namespace" : "cluster"
    namespaces = length(each.value.namespaces) > 0 ? each.value.namespaces : null
  }
}

# Pods: one role for each account of Kubernetes that needs AWS.
resource "aws_iam_role" "pod" {
  for_each = var.pod_identities

  name = "${var.name}-${each.key}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { Service = "pods.eks.amazonaws.com" }
      # Another cluster of the account may not hand this role to its pods.
      Condition = { ArnEquals = { "aws:SourceArn" = aws_eks_cluster.this.arn } }
    }]
  })
}

resource "aws_iam_role_policy" "pod" {
  for_each = var.pod_identities

  name = each.key
  role = aws_iam_role.pod[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for statement in each.value.statements : merge(
      { Effect = "Allow", Action = statement.actions, Resource = statement.resources },
      length(statement.prefixes) == 0 ? {} : { Condition = { StringLike = { "s3:prefix" = statement.prefixes } } },
    )]
  })
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = var.pod_identities

  cluster_name    = aws_eks_cluster.this.name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.pod[each.key].arn
}
