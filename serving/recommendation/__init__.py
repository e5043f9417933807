"""From a request to an answer: candidates, ranking, fallbacks, the final list.

In: a request and one release. Out: an answer that says how it was made.
"""
