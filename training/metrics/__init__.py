"""How good a ranked list is, and how sure that figure is.

In: ranked rows and truths. Out: metrics by user, means and intervals.
"""
