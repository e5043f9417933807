"""Why an item is in a list, and at which stage another one was lost.

In: the candidates and the arrangement of one list. Out: sentences and figures for people.
"""
