output "name" {
  description = "For `aws eks update-kubeconfig --name`; ready when nodes and addons are."
  value       = aws_eks_cluster.this.name
  depends_on  = [aws_eks_addon.after_nodes, aws_eks_pod_identity_association.this]
}

output "arn" {
  description = "For the policies of roles that may describe the cluster."
  value       = aws_eks_cluster.this.arn
}

output "security_group_id" {
  description = "Group of nodes and control plane, made by EKS; the online store admits it."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "pod_role_arns" {
  description = "Role of each pod identity, by its name."
  value       = { for name, role in aws_iam_role.pod : name => role.arn }
}
