mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name                      = "tandem-test"
  vpc_id                    = "vpc-0123456789abcdef0"
  subnet_ids                = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  client_security_group_ids = { cluster = "sg-0123456789abcdef0" }
}

run "encrypted_on_the_wire_and_on_the_disk_and_asks_for_a_token" {
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "The store answers without TLS."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.at_rest_encryption_enabled
    error_message = "The store's disk is not encrypted."
  }

  assert {
    condition     = length(aws_elasticache_replication_group.this.auth_token) == 64
    error_message = "The store has no token of 64 characters."
  }
}

run "only_the_cluster_reaches_it" {
  assert {
    condition = alltrue([for rule in aws_vpc_security_group_ingress_rule.redis :
      rule.referenced_security_group_id == "sg-0123456789abcdef0" && rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && rule.from_port == 6379 && rule.to_port == 6379
    ]) && length(aws_vpc_security_group_ingress_rule.redis) == 1
    error_message = "Something else than the cluster reaches the store, or another port is open."
  }
}

run "pods_get_feasts_connection_string_with_tls_and_the_stores_token" {
  assert {
    condition     = aws_secretsmanager_secret_version.connection.secret_string == "master.tandem-test.cache.amazonaws.com:6379,ssl=true,password=${aws_elasticache_replication_group.this.auth_token},socket_timeout=0.25,socket_connect_timeout=0.25"
    error_message = "The connection string is not HOST:PORT,ssl=true,password=TOKEN with short timeouts."
  }
}

run "a_replica_in_another_zone_takes_over" {
  command = plan

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 2 && aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "One replica does not make two nodes in two zones with failover."
  }
}

run "one_node_has_nothing_to_fail_over_to" {
  command = plan

  variables {
    replicas = 0
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 1 && !aws_elasticache_replication_group.this.automatic_failover_enabled && !aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "One node is asked for failover, which ElastiCache refuses."
  }
}

run "encrypted_with_a_key_of_the_customer" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = alltrue([for key in [aws_elasticache_replication_group.this.kms_key_id, aws_secretsmanager_secret.token.kms_key_id, aws_secretsmanager_secret.connection.kms_key_id] : key == var.kms_key_arn])
    error_message = "Store or secrets are not encrypted with the customer's key."
  }
}

run "refuses_a_replica_in_the_same_zone" {
  command = plan

  variables {
    subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [var.replicas]
}

run "refuses_no_subnet" {
  command = plan

  variables {
    subnet_ids = []
    replicas   = 0
  }

  expect_failures = [var.subnet_ids]
}

run "refuses_to_be_reached_by_nobody" {
  command = plan

  variables {
    client_security_group_ids = {}
  }

  expect_failures = [var.client_security_group_ids]
}

run "refuses_names_that_elasticache_does_not_take" {
  command = plan

  variables {
    name = "tandem--test"
  }

  expect_failures = [var.name]
}

run "refuses_types_of_machines" {
  command = plan

  variables {
    node_type = "m7g.large"
  }

  expect_failures = [var.node_type]
}

run "refuses_days_out_of_range" {
  command = plan

  variables {
    snapshot_days        = 36
    secret_recovery_days = 3
    kms_key_arn          = "alias/tandem"
  }

  expect_failures = [var.snapshot_days, var.secret_recovery_days, var.kms_key_arn]
}
