mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name       = "tandem-test"
  subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]

  node_groups = {
    main = { instance_types = ["m7i.xlarge"], min_size = 2, desired_size = 2, max_size = 3 }
  }

  access = {
    delivery = {
      principal_arn = "arn:aws:iam::111122223333:role/delivery"
      policy        = "AmazonEKSAdminPolicy"
      namespaces    = ["tandem"]
    }
  }

  pod_identities = {
    serving = {
      namespace       = "tandem"
      service_account = "tandem"
      statements = [
        { actions = ["s3:GetObject"], resources = ["arn:aws:s3:::tandem-test/bundles/*"] },
        { actions = ["s3:ListBucket"], resources = ["arn:aws:s3:::tandem-test"], prefixes = ["bundles/*"] },
      ]
    }
  }
}

run "nobody_on_the_internet_reaches_the_api_server" {
  command = plan

  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "The API server has an address on the internet."
  }
}

run "only_the_named_addresses_reach_the_api_server" {
  command = plan

  variables {
    public_access_cidrs = ["203.0.113.0/24"]
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"])
    error_message = "The API server is open to other addresses than the named ones."
  }
}

run "secrets_and_disks_are_encrypted" {
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"]) && aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == aws_kms_key.secrets.arn && aws_kms_key.secrets.enable_key_rotation
    error_message = "Secrets are not encrypted with a key that is renewed."
  }

  assert {
    condition     = alltrue([for template in aws_launch_template.nodes : tobool(template.block_device_mappings[0].ebs[0].encrypted)])
    error_message = "A node's disk is not encrypted."
  }
}

run "a_pod_cannot_take_the_role_of_its_node" {
  command = plan

  assert {
    condition     = alltrue([for template in aws_launch_template.nodes : template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "A pod can ask the metadata service of its node."
  }

  assert {
    condition     = toset([for attachment in aws_iam_role_policy_attachment.nodes : basename(attachment.policy_arn)]) == toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"])
    error_message = "Nodes may do more than join, give out addresses and pull images."
  }
}

run "who_enters_stands_in_access_entries_alone" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "There is another way in than the access entries."
  }

  assert {
    condition     = aws_eks_access_policy_association.this["delivery"].access_scope[0].type == "namespace" && aws_eks_access_policy_association.this["delivery"].access_scope[0].namespaces == toset(["tandem"])
    error_message = "An entry with namespaces reaches the whole cluster."
  }
}

run "a_pods_role_has_the_named_rights_and_no_other_cluster_hands_it_out" {
  assert {
    condition = jsondecode(aws_iam_role_policy.pod["serving"].policy).Statement == [
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::tandem-test/bundles/*"] },
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = ["arn:aws:s3:::tandem-test"], Condition = { StringLike = { "s3:prefix" = ["bundles/*"] } } },
    ]
    error_message = "The role may do something else than its statements say."
  }

  assert {
    condition     = one(jsondecode(aws_iam_role.pod["serving"].assume_role_policy).Statement).Condition.ArnEquals["aws:SourceArn"] == aws_eks_cluster.this.arn
    error_message = "Another cluster of the account could give the role to its pods."
  }

  assert {
    condition     = aws_eks_pod_identity_association.this["serving"].service_account == "tandem" && aws_eks_pod_identity_association.this["serving"].role_arn == aws_iam_role.pod["serving"].arn
    error_message = "The account has another role than its own."
  }
}

run "network_policies_are_enforced_and_pod_identity_is_there_before_the_nodes" {
  command = plan

  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "The chart's NetworkPolicies would be accepted and not enforced."
  }

  assert {
    condition     = contains(keys(aws_eks_addon.before_nodes), "eks-pod-identity-agent") && contains(keys(aws_eks_addon.after_nodes), "coredns")
    error_message = "An addon is missing, or comes at the wrong time."
  }
}

run "the_audit_log_is_kept" {
  command = plan

  assert {
    condition     = contains(aws_eks_cluster.this.enabled_cluster_log_types, "audit") && aws_cloudwatch_log_group.control_plane.retention_in_days == 90
    error_message = "The audit log is off or kept for another time."
  }
}

run "refuses_the_internet_at_large" {
  command = plan

  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "refuses_actions_by_wildcard" {
  command = plan

  variables {
    pod_identities = { serving = { namespace = "tandem", service_account = "tandem", statements = [{ actions = ["s3:*"], resources = ["arn:aws:s3:::tandem-test"] }] } }
  }

  expect_failures = [var.pod_identities]
}

run "refuses_all_resources" {
  command = plan

  variables {
    pod_identities = { serving = { namespace = "tandem", service_account = "tandem", statements = [{ actions = ["s3:GetObject"], resources = ["*"] }] } }
  }

  expect_failures = [var.pod_identities]
}

run "refuses_groups_of_kubernetes_itself" {
  command = plan

  variables {
    access = { all = { principal_arn = "arn:aws:iam::111122223333:role/all", policy = "AmazonEKSViewPolicy", groups = ["system:masters"] } }
  }

  expect_failures = [var.access]
}

run "refuses_policies_that_eks_does_not_have" {
  command = plan

  variables {
    access = { all = { principal_arn = "arn:aws:iam::111122223333:role/all", policy = "AdministratorAccess" } }
  }

  expect_failures = [var.access]
}

run "refuses_an_empty_node_group" {
  command = plan

  variables {
    node_groups = { main = { instance_types = ["m7i.xlarge"], min_size = 0, desired_size = 0, max_size = 3 } }
  }

  expect_failures = [var.node_groups]
}

run "refuses_what_cannot_run" {
  command = plan

  variables {
    name               = "T"
    kubernetes_version = "1.31"
    subnet_ids         = ["subnet-0123456789abcdef0"]
    log_days           = 2
    node_groups        = {}
  }

  expect_failures = [var.name, var.kubernetes_version, var.subnet_ids, var.log_days, var.node_groups]
}

run "refuses_disks_too_small_for_the_images" {
  command = plan

  variables {
    node_groups = { main = { instance_types = ["m7i.xlarge"], min_size = 1, desired_size = 1, max_size = 1, disk_gib = 10 } }
  }

  expect_failures = [var.node_groups]
}
