locals {
  # The trust of each role: which service may take it.
  trust = { for name, service in { cluster = "eks.amazonaws.com", nodes = "ec2.amazonaws.com" } : name => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = service }
    }]
  }) }

  addons = {
    coredns                = null
    eks-pod-identity-agent = null
    kube-proxy             = null
    # Without this the chart's NetworkPolicies are accepted and not enforced.
    vpc-cni = jsonencode({ enableNetworkPolicy = "true" })
  }

  before_nodes = ["eks-pod-identity-agent", "kube-proxy", "vpc-cni"]
  aws_policy   = "arn:${data.aws_partition.current.partition}:iam::aws:policy"
}

data "aws_partition" "current" {}

resource "aws_kms_key" "secrets" {
  description             = "Secrets of the cluster ${var.name} at rest"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_cloudwatch_log_group" "control_plane" {
  # EKS writes to this name; made here it has an end, which the group that EKS makes has not.
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_days
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = local.trust.cluster
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "${local.aws_policy}/AmazonEKSClusterPolicy"
}

resource "aws_eks_cluster" "this" {
  name     = var.name
  role_arn = aws_iam_role.cluster.arn
  version  = var.kubernetes_version

  enabled_cluster_log_types     = ["api", "audit", "authenticator"]
  bootstrap_self_managed_addons = false

  # Who may enter stands in access entries alone: no ConfigMap that a mistake can empty, no hidden administrator.
  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.secrets.arn
    }
  }

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  upgrade_policy {
    support_type = "STANDARD" # extended support costs six times as much
  }

  depends_on = [aws_iam_role_policy_attachment.cluster, aws_cloudwatch_log_group.control_plane]

  lifecycle {
    postcondition {
      condition     = self.vpc_config[0].endpoint_private_access
      error_message = "The cluster has no private endpoint: its nodes, which have no public address, could not reach it."
    }
  }
}

resource "aws_iam_role" "nodes" {
  name               = "${var.name}-nodes"
  assume_role_policy = local.trust.nodes
}

# What a node needs by itself. Pods get roles of their own, see access.tf.
resource "aws_iam_role_policy_attachment" "nodes" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.nodes.name
  policy_arn = "${local.aws_policy}/${each.key}"
}

resource "aws_launch_template" "nodes" {
  for_each = var.node_groups

  name                   = "${var.name}-${each.key}"
  update_default_version = true

  # Sessions with a token, and one hop: a pod cannot ask for the role of its node.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk_gib
      encrypted             = true
      delete_on_termination = true
    }
  }
}

resource "aws_eks_node_group" "this" {
  for_each = var.node_groups

  cluster_name    = aws_eks_cluster.this.name
  node_group_name = each.key
  node_role_arn   = aws_iam_role.nodes.arn
  subnet_ids      = var.subnet_ids
  instance_types  = each.value.instance_types
  capacity_type   = each.value.spot ? "SPOT" : "ON_DEMAND"
  ami_type        = "AL2023_x86_64_STANDARD"

  launch_template {
    id      = aws_launch_template.nodes[each.key].id
    version = aws_launch_template.nodes[each.key].latest_version
  }

  scaling_config {
    min_size     = each.value.min_size
    desired_size = each.value.desired_size
    max_size     = each.value.max_size
  }

  update_config {
    max_unavailable = 1
  }

  # A node without network or pod identity would start pods that can do nothing.
  depends_on = [aws_iam_role_policy_attachment.nodes, aws_eks_addon.before_nodes]
}

resource "aws_eks_addon" "before_nodes" {
  for_each = toset(local.before_nodes)

  cluster_name         = aws_eks_cluster.this.name
  addon_name           = each.key
  configuration_values = local.addons[each.key]
}

resource "aws_eks_addon" "after_nodes" {
  for_each = toset(setsubtract(keys(local.addons), local.before_nodes))

  cluster_name         = aws_eks_cluster.this.name
  addon_name           = each.key
  configuration_values = local.addons[each.key]

  # Its pods wait for a node, and the addon waits for its pods.
  depends_on = [aws_eks_node_group.this]
}
