"""Reported faults, each with an input and its right value, tried one by one.

In: a folder with a folder for each case. Out: a line for each, right or what is seen.
"""
