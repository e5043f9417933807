"""Workspaces of a test's own, and the trained slice, which is made once and kept."""
