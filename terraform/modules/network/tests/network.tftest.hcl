mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name   = "tandem-test"
  region = "eu-central-1"
  zones  = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
}

run "nothing_gets_a_public_address_by_itself" {
  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.private), values(aws_subnet.public)) : !subnet.map_public_ip_on_launch])
    error_message = "A subnet gives out public addresses."
  }

  assert {
    condition     = alltrue([for route in aws_route.private : route.gateway_id == null || route.gateway_id == "" || route.gateway_id != aws_internet_gateway.this.id])
    error_message = "A private subnet has a route to the internet gateway."
  }

  assert {
    condition     = alltrue([for zone, route in aws_route.private : route.nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "A private subnet does not leave by the NAT gateway of its zone."
  }
}

run "no_two_subnets_share_addresses" {
  command = plan

  assert {
    condition     = [for zone in var.zones : aws_subnet.private[zone].cidr_block] == ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"]
    error_message = "Private subnets are the first sixteenths of the network."
  }

  assert {
    condition     = [for zone in var.zones : aws_subnet.public[zone].cidr_block] == ["10.0.128.0/20", "10.0.144.0/20", "10.0.160.0/20"]
    error_message = "Public subnets begin at the second half of the network."
  }
}

run "refused_connections_are_recorded" {
  assert {
    condition     = aws_flow_log.this.traffic_type == "REJECT" && aws_flow_log.this.log_destination == aws_cloudwatch_log_group.flow.arn
    error_message = "Refused connections are not recorded."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.flow.policy).Statement : !contains(flatten([statement.Action, statement.Resource]), "*")])
    error_message = "The role of the flow log may do more than write it."
  }
}

run "one_nat_gateway_where_a_zone_may_be_lost" {
  variables {
    nat_per_zone = false
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(distinct([for route in aws_route.private : route.nat_gateway_id])) == 1
    error_message = "There is more than one NAT gateway."
  }
}

run "refuses_public_ranges" {
  command = plan

  variables {
    cidr = "8.8.0.0/16"
  }

  expect_failures = [var.cidr]
}

run "refuses_ranges_too_small_for_pods" {
  command = plan

  variables {
    cidr = "10.0.0.0/24"
  }

  expect_failures = [var.cidr]
}

run "refuses_one_zone" {
  command = plan

  variables {
    zones = ["eu-central-1a"]
  }

  expect_failures = [var.zones]
}

run "refuses_days_that_cloudwatch_does_not_know" {
  command = plan

  variables {
    flow_log_days = 31
  }

  expect_failures = [var.flow_log_days]
}
