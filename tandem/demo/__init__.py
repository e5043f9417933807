"""`tandem demo`: a server that answers within seconds, while a second process trains what it changes over to.

In: a project folder. Out: three bundles, each promoted when it is better than the one before, and a record of how far
the computation is.
"""
