"""Files of several kinds as tables of text, wherever they lie.

In: a folder or a URL. Out: Arrow tables in which each row that cannot be read has a fault and its text.
"""
