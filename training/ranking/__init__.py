"""The second stage: labelled candidate lists, neural and tree rankers, the choice between them.

In: a dataset and the towers' embeddings. Out: one exported ranker.
"""
