"""What keeps one failing part from taking the answer down.

In: calls that may fail or take too long. Out: their results in time, or a named reason.
"""
