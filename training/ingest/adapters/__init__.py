"""One module a kind of source; each yields canonical events, users and items, unchecked.

In: files and a mapping. Out: a Source of Ibis tables.
"""
