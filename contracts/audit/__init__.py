"""Who changed what, and from where: a log in which no line can be altered or left out unseen.

In: one entry a change. Out: lines that are chained by their hashes, and what is wrong with them.
"""
