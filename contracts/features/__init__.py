"""Features by name, and the pure functions that compute them alike offline and online.

In: feature rows and fresh events. Out: encoded arrays for towers and ranker.
"""
