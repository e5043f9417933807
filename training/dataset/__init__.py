"""Training sets by point-in-time join: what was known of users and items at each moment.

In: feature tables and ingested events. Out: a Dataset with its moments, labels and vocabularies.
"""
