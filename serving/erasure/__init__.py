"""Taking a person out of everything that a server writes: log, online store, caches and what was shown.

In: the id of a user. Out: how many entries each store held.
"""
