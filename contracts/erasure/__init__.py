"""What erasing a person leaves: a keyed hash that keeps them from coming back, and a receipt.

In: ids of users. Out: whether one was erased, and what a receipt says and how it is signed.
"""
