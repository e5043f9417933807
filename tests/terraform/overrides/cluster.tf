# moto has neither addons nor access entries nor pod identities: they are left out here, and held by `terraform test`.
resource "aws_eks_addon" "before_nodes" {
  for_each = toset([])
}

resource "aws_eks_addon" "after_nodes" {
  for_each = toset([])
}

resource "aws_eks_access_entry" "this" {
  for_each = {}
}

resource "aws_eks_access_policy_association" "this" {
  for_each = {}
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = {}
}

# What moto forgets between the writing and the reading would be a change at every plan.
resource "aws_eks_cluster" "this" {
  lifecycle {
    ignore_changes = [access_config, upgrade_policy]
  }
}

resource "aws_eks_node_group" "this" {
  lifecycle {
    ignore_changes = [remote_access, update_config]
  }
}

resource "aws_launch_template" "nodes" {
  lifecycle {
    ignore_changes = [tag_specifications]
  }
}
