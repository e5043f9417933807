"""Raw files to one event schema, with a report that counts every row.

In: a source's files, by an adapter. Out: events, users, items, and a quarantine with reasons.
"""
