"""Taking a person out of what the pipeline writes: tables, exports and the bundles' lists of users.

In: the id of a user and a workspace. Out: how many rows each place held, and the bundles that have learned.
"""
