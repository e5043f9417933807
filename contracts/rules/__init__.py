"""Business rules and filters as people write them.

In: YAML or JSON. Out: validated rules and selections.
"""
