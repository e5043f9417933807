"""What a column of text means: ids, texts, numbers and moments.

In: columns as they were written. Out: Ibis columns of our types, or the reason why a value is none.
"""
