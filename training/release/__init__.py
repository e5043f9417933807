"""From trained parts to a sealed, signed, published bundle with its model card.

In: towers, ranker and metrics. Out: bundles/<version>.
"""
