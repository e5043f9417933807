"""Events and items as every adapter, log and API call must give them.

In: rows and JSON. Out: one schema, with the reason where a row breaks it.
"""
