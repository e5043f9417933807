"""Releases: the canary that decides, its state in the cluster, and the way back."""
