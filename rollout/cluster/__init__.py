"""Objects of a cluster, read and written without a lost update.

In: kinds and names. Out: plain dictionaries.
"""
