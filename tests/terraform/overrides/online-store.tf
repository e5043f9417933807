# What moto forgets between the writing and the reading would be a change at every plan.
resource "aws_elasticache_replication_group" "this" {
  lifecycle {
    ignore_changes = [auth_token, security_group_ids, transit_encryption_mode]
  }
}

resource "aws_vpc_security_group_ingress_rule" "redis" {
  lifecycle {
    ignore_changes = [description]
  }
}
