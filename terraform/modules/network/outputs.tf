output "vpc_id" {
  description = "Network that cluster and online store live in."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "One subnet a zone, without an address on the internet; the way out is ready when these are."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
  depends_on  = [aws_route.private, aws_route_table_association.private, aws_vpc_endpoint.s3]

  precondition {
    condition     = alltrue([for subnet in aws_subnet.private : !subnet.map_public_ip_on_launch])
    error_message = "A private subnet gives out public addresses."
  }
}

output "public_subnet_ids" {
  description = "One subnet a zone, for load balancers that clients on the internet may reach."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}
