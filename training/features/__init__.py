"""Events to feature tables, each row as of a snapshot.

In: ingested events, users and items. Out: one table for each Feast feature view, and the timeline.
"""
