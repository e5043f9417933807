"""An AWS on loopback: moto, and what it lacks of the services that the stack needs.

    python -m tests.terraform.aws PORT

Added: the members of an ElastiCache replication group (the provider reads encryption and version from them), their end
with the group, the deletion of its subnet group, and the security group that EKS makes for each cluster. Not added:
addons, access entries and pod identities of EKS, which moto does not have; `overrides/` leaves them out, and
`terraform test` holds them with mocks.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any


def replace(kind: type, method: str, by: Callable[..., Any]) -> None:
    """Puts a method of ours in the place of moto's, or where moto has none."""
    setattr(kind, method, by)


def add_members() -> None:
    """Makes a replication group have members, and leave nothing behind when it is deleted."""
    from moto.core.responses import ActionResult
    from moto.elasticache.models import CacheCluster, ElastiCacheBackend
    from moto.elasticache.responses import ElastiCacheResponse

    create, delete = ElastiCacheBackend.create_replication_group, ElastiCacheBackend.delete_replication_group

    arguments = list(inspect.signature(CacheCluster).parameters)

    def create_with_members(self: Any, **asked: Any) -> Any:
        # moto makes members by this number alone, which is for groups with shards.
        asked["replicas_per_node_group"] = (asked["num_cache_clusters"] or 1) - 1
        group = create(self, **asked)
        for name in group.member_clusters:
            known = asked | {
                "account_id": self.account_id,
                "region_name": self.region_name,
                "cache_cluster_id": name,
                "num_cache_nodes": 1,
                "auto_minor_version_upgrade": True,
            }
            given: Any = {key: known.get(key) for key in arguments}
            member: Any = CacheCluster(**given)
            member.at_rest_encryption_enabled = group.at_rest_encryption_enabled
            self.cache_clusters[name] = member
        return group

    def delete_with_members(self: Any, **asked: Any) -> Any:
        members = list(self.replication_groups[asked["replication_group_id"]].member_clusters)
        group = delete(self, **asked)
        for name in members:
            del self.cache_clusters[name]
        return self.replication_groups.pop(group.replication_group_id)

    def delete_subnet_group(self: Any) -> ActionResult:
        del self.elasticache_backend.cache_subnet_groups[self._get_param("CacheSubnetGroupName")]
        return ActionResult({})

    replace(ElastiCacheResponse, "delete_cache_subnet_group", delete_subnet_group)
    replace(ElastiCacheBackend, "create_replication_group", create_with_members)
    replace(ElastiCacheBackend, "delete_replication_group", delete_with_members)


def add_cluster_security_groups() -> None:
    """Makes a cluster of EKS have a security group in the network of its subnets, for as long as it lives."""
    from moto.ec2.models import ec2_backends
    from moto.eks.models import EKSBackend

    create, delete = EKSBackend.create_cluster, EKSBackend.delete_cluster

    def create_with_group(self: Any, **asked: Any) -> Any:
        network = ec2_backends[self.account_id][self.region_name]
        vpc = network.get_subnet(asked["resources_vpc_config"]["subnetIds"][0]).vpc_id
        group = network.create_security_group(f"eks-cluster-sg-{asked['name']}", "made by EKS", vpc_id=vpc)
        asked["resources_vpc_config"] |= {"clusterSecurityGroupId": group.id, "vpcId": vpc}
        return create(self, **asked)

    def delete_with_group(self: Any, **asked: Any) -> Any:
        group = self.clusters[asked["name"]].resources_vpc_config["clusterSecurityGroupId"]
        cluster = delete(self, **asked)
        ec2_backends[self.account_id][self.region_name].delete_security_group(group_id=group)
        return cluster

    replace(EKSBackend, "create_cluster", create_with_group)
    replace(EKSBackend, "delete_cluster", delete_with_group)


if __name__ == "__main__":
    from moto.server import main

    add_members()
    add_cluster_security_groups()
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
