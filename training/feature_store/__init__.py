"""Feast: definitions applied, features joined as of a moment, users written online.

In: feature tables. Out: point-in-time rows offline, the latest rows in the online store.
"""
