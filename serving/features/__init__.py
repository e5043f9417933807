"""A user's features, read once a request from the online store.

In: a user id. Out: profile, history and recent events as the towers and the ranker take them.
"""

from serving.runtime import feast_import  # noqa: F401 - before any module of this room imports Feast
