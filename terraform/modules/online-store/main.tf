resource "aws_elasticache_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of the online store"
  subnet_ids  = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-online-store"
  description = "Redis, for the pods of the cluster alone"
  vpc_id      = var.vpc_id
}

# The only rule: nothing from elsewhere comes in, and nothing goes out.
resource "aws_vpc_security_group_ingress_rule" "redis" {
  for_each = var.client_security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = "Redis from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

# Another one at every plan: what counts is the first, which the secret below keeps.
data "aws_secretsmanager_random_password" "token" {
  password_length     = 64
  exclude_punctuation = true # Feast's connection string separates its parts by commas
  include_space       = false
}

resource "aws_secretsmanager_secret" "token" {
  name                    = "${var.name}/online-store/token"
  description             = "AUTH token of the online store"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "token" {
  secret_id     = aws_secretsmanager_secret.token.id
  secret_string = data.aws_secretsmanager_random_password.token.random_password

  lifecycle {
    ignore_changes = [secret_string]
  }
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = var.name
  description          = "Online feature store of Tandem"

  engine         = "redis"
  engine_version = "7.1"
  node_type      = var.node_type
  port           = 6379

  num_cache_clusters         = var.replicas + 1
  automatic_failover_enabled = var.replicas > 0
  multi_az_enabled           = var.replicas > 0

  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  auth_token                 = aws_secretsmanager_secret_version.token.secret_string

  subnet_group_name  = aws_elasticache_subnet_group.this.name
  security_group_ids = [aws_security_group.this.id]

  # Features can be materialized again; the event log, if it lies here too, cannot.
  snapshot_retention_limit   = var.snapshot_days
  auto_minor_version_upgrade = true
  apply_immediately          = false

  lifecycle {
    postcondition {
      condition     = self.transit_encryption_enabled && self.at_rest_encryption_enabled
      error_message = "The online store is not encrypted on the wire and on its disk."
    }
  }
}

# What the pods read: Feast's connection string with the token in it.
resource "aws_secretsmanager_secret" "connection" {
  name                    = "${var.name}/online-store/connection-string"
  description             = "Feast's connection string of the online store, for the Secret that the chart names"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "connection" {
  secret_id = aws_secretsmanager_secret.connection.id

  # Short timeouts let the server fall back instead of hanging.
  secret_string = join(",", [
    "${aws_elasticache_replication_group.this.primary_endpoint_address}:6379",
    "ssl=true",
    "password=${aws_secretsmanager_secret_version.token.secret_string}",
    "socket_timeout=0.25",
    "socket_connect_timeout=0.25",
  ])
}
