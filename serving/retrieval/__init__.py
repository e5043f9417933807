"""The items nearest to a query that pass the filters.

In: a query embedding and a mask of the catalogue. Out: catalogue rows with scores.
"""
