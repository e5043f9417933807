# From requests a second to pods and nodes, by the figures of docs/explanation/capacity.md.
locals {
  requests_per_pod = 358 # 70 % of what a pod answered at p99 below 50 ms
  slots            = 2   # the one that stands by runs its minimum at all times
  min_pods         = 2
  max_pods         = max(local.min_pods, ceil(var.requests_per_second / local.requests_per_pod))

  # A node of 4 CPUs holds three predictors of 1 CPU; the rest is the node's own and the daemons'.
  pods_per_node = 3
  peak_pods     = local.max_pods + (local.slots - 1) * local.min_pods
  # One more for training, events, drift, and what the cluster needs besides (KServe, gateway, Prometheus).
  nodes = ceil(local.peak_pods / local.pods_per_node) + 1

  # The peak is there at all times: nothing here adds nodes. One above it is room for an update of the nodes.
  node_groups = { main = {
    instance_types = var.instance_types
    min_size       = local.nodes
    desired_size   = local.nodes
    max_size       = local.nodes + 1
  } }
}
