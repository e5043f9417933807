"""Candidates and the ranker's inputs, computed by one code for training and serving.

In: a user's side, the items' side. Out: shortlists with one row of inputs a candidate.
"""
