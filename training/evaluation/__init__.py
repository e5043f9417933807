"""What the lists are worth, on windows of time that training has not seen.

In: a dataset, towers and ranker. Out: metrics with intervals, baselines, and the gate's verdict.
"""
